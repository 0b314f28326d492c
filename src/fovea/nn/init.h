#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/nn/module.h"

/// Initial values of parameters. fan_in is the number of inputs summed into one output (weight [O,
/// I, kernel]: I times the kernel's size), fan_out the number of outputs that one input affects (O
/// times the kernel's size). All draw in float64, in row-major order, and round to the array's
/// dtype, so an f32 net starts as the rounded f64 one.
namespace fovea::nn::init {

/// Every element `value`.
Initializer constant(double value);

/// Uniform in [-bound, bound).
Initializer uniform(double bound);

/// Normal with mean 0.
Initializer normal(double std);

/// Normal with the variance `std`^2, redrawn when further than two `std` from 0 (which leaves a
/// deviation of 0.88 std): PyTorch's trunc_normal_ cut at two deviations, as in ConvNeXt.
Initializer truncated_normal(double std);

/// Uniform with the variance 2 / ((1 + a^2) fan_in), of He et al. 2015, "Delving deep into
/// rectifiers" (for leaky relus of slope a). The default, variance 1 / (3 fan_in), is PyTorch's for
/// convolutions and linear layers.
Initializer kaiming_uniform(double a = 2.23606797749978969641 /* sqrt(5) */);

/// Normal with the variance 2 / fan_in, which preserves the scale of values through relus (He et
/// al. 2015).
Initializer kaiming_normal();

/// Normal with the variance 2 / fan_out, which preserves the scale of gradients through relus (He
/// et al. 2015); torchvision's for the convolutions of a ResNet.
Initializer kaiming_normal_fan_out();

/// Normal with the variance 1 / fan_in, of LeCun et al. 1998, "Efficient BackProp".
Initializer lecun_normal();

/// Uniform with the variance 2 / (fan_in + fan_out), of Glorot and Bengio 2010, "Understanding the
/// difficulty of training deep feedforward neural networks"; Keras' default.
Initializer xavier_uniform();

/// Normal with the same variance.
Initializer xavier_normal();

/// Orthonormal rows (of the weight as [O, I * kernel]), or columns if there are fewer of those
/// (Saxe et al. 2013).
Initializer orthogonal();

/// The weight [O, I, kernel] of a convolution that returns its inputs: filter o < min(O, I) is 1 at
/// the kernel's centre of channel o (index size / 2), else 0. All other filters are drawn by
/// `rest`, by default 0 (PyTorch's dirac_). With a `rest` whose values depend on the fans, those
/// are the entire weight's.
Initializer dirac(Initializer rest = constant(0));

/// The values of another initialiser divided by their standard deviation (unbiased), which makes
/// that 1. Values that are all equal stay as they are.
Initializer unit_std(Initializer values);

/// One of the above by name: "zeros", "ones", "pytorch" (the default of kaiming_uniform),
/// "kaiming_uniform" (a = 0), "kaiming_normal", "kaiming_normal_fan_out", "lecun_normal",
/// "xavier_uniform", "xavier_normal", "orthogonal", "dirac"; Keras's names "he_uniform",
/// "he_normal", "glorot_uniform", "glorot_normal". Errors: usage for an unknown name, listing the
/// nearest.
Initializer by_name(std::string_view name);

/// The names that `by_name` knows.
std::vector<std::string> names();

}  // namespace fovea::nn::init

namespace fovea::nn {

/// Every M in `root` (Conv2d, Linear) gets initial weights from `weight`, and zero biases.
template <std::derived_from<Module> M>
void initialize(Module& root, const Initializer& weight) {
  for_each<M>(root, [&](M& layer) {
    layer.weight.initialize(weight);
    if (layer.bias) layer.bias->initialize(init::constant(0));
  });
}

}  // namespace fovea::nn
