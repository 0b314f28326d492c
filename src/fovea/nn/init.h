#pragma once

#include "fovea/nn/parameter.h"

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

/// Uniform with the variance 2 / ((1 + a^2) fan_in), of He et al. 2015, "Delving deep into
/// rectifiers" (for leaky relus of slope a). The default, variance 1 / (3 fan_in), is what PyTorch
/// gives convolutions and linear layers.
Initializer kaiming_uniform(double a = 2.23606797749978969641 /* sqrt(5) */);

/// Normal with the variance 2 / fan_out, which keeps gradients even through relus (He et al. 2015);
/// what torchvision gives the convolutions of a ResNet.
Initializer kaiming_normal_fan_out();

/// Uniform with the variance 2 / (fan_in + fan_out), of Glorot and Bengio 2010, "Understanding the
/// difficulty of training deep feedforward neural networks"; Keras' default.
Initializer xavier_uniform();

}  // namespace fovea::nn::init
