#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/nn/module.h"

/// First values of parameters. fan_in is the number of inputs that one output sums over (weight
/// [O, I, kernel]: I times the kernel's size), fan_out the same seen from the other side (O times
/// the kernel's size). All draw in float64, in row-major order, and round to the array's dtype, so
/// an f32 net starts as the f64 one, rounded.
namespace fovea::nn::init {

/// Every element `value`.
Initializer constant(double value);

/// Uniform in [-bound, bound).
Initializer uniform(double bound);

/// Normal with mean 0.
Initializer normal(double std);

/// Normal with the variance `std`^2, drawn again where further than two `std` from 0 (the spread of
/// what is left is 0.88 std): PyTorch's trunc_normal_ with its cut at two deviations, ConvNeXt's.
Initializer truncated_normal(double std);

/// Uniform with the variance 2 / ((1 + a^2) fan_in), of He et al. 2015, "Delving deep into
/// rectifiers" (for leaky relus of slope a). The default, variance 1 / (3 fan_in), is what PyTorch
/// gives convolutions and linear layers.
Initializer kaiming_uniform(double a = 2.23606797749978969641 /* sqrt(5) */);

/// Normal with the variance 2 / fan_in, which keeps the size of values even through relus (He et
/// al. 2015).
Initializer kaiming_normal();

/// Normal with the variance 2 / fan_out, which keeps gradients even through relus (He et al. 2015);
/// what torchvision gives the convolutions of a ResNet.
Initializer kaiming_normal_fan_out();

/// Normal with the variance 1 / fan_in, of LeCun et al. 1998, "Efficient BackProp".
Initializer lecun_normal();

/// Uniform with the variance 2 / (fan_in + fan_out), of Glorot and Bengio 2010, "Understanding the
/// difficulty of training deep feedforward neural networks"; Keras' default.
Initializer xavier_uniform();

/// Normal with the same variance.
Initializer xavier_normal();

/// Rows (of the weight as [O, I * kernel]) that are orthogonal and of length 1, or columns where
/// there are fewer of those (Saxe et al. 2013).
Initializer orthogonal();

/// One of the above by its name: "zeros", "ones", "pytorch" (the default of kaiming_uniform),
/// "kaiming_uniform" (a = 0), "kaiming_normal", "kaiming_normal_fan_out", "lecun_normal",
/// "xavier_uniform", "xavier_normal", "orthogonal"; Keras's names "he_uniform", "he_normal",
/// "glorot_uniform", "glorot_normal". Errors: usage for another name, listing the nearest.
Initializer by_name(std::string_view name);

/// The names that `by_name` knows.
std::vector<std::string> names();

}  // namespace fovea::nn::init

namespace fovea::nn {

/// Every M in `root` (a Conv2d, a Linear) starts with weights by `weight`, its biases with zeros.
template <std::derived_from<Module> M>
void initialize(Module& root, const Initializer& weight) {
  for_each<M>(root, [&](M& layer) {
    layer.weight.initialize(weight);
    if (layer.bias) layer.bias->initialize(init::constant(0));
  });
}

}  // namespace fovea::nn
