#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// RMSprop (Tieleman & Hinton 2012), as PyTorch's:
///     g = grad + weight_decay p;   v = alpha v + (1 - alpha) g^2
///     u = g / (sqrt(v) + eps);     b = momentum b + u;   p -= lr b
/// With `centered` the gradient's running mean a = alpha a + (1 - alpha) g is removed: sqrt(v -
/// a^2) in place of sqrt(v). It keeps v as "square_avg:PARAMETER", and "momentum:PARAMETER" and
/// "grad_avg:PARAMETER" where they are used.
struct RmsPropOptions {
  double alpha = 0.99, eps = 1e-8, momentum = 0;
  bool centered = false;
  double weight_decay = 0;  ///< L2, added to the gradient
  Decay decay = Decay::all;
};
/// Does not check the options, as `parse` does: alpha and momentum are at least 0 and below 1, eps
/// and weight_decay at least 0.
std::unique_ptr<Optimizer> rmsprop(const RmsPropOptions& options);

}  // namespace fovea::optim
