#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// Stochastic gradient descent (Sutskever et al. 2013), as PyTorch's SGD:
///     g = grad + weight_decay p;   b = momentum b + g;   p -= lr (nesterov ? g + momentum b : b)
/// With momentum it keeps b as "momentum:PARAMETER", otherwise nothing.
struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2, added to the gradient
  Decay decay = Decay::all;
};
/// Does not check the options, as `parse` does: momentum is at least 0 (with nesterov above 0) and
/// below 1, weight_decay at least 0.
std::unique_ptr<Optimizer> sgd(const SgdOptions& options);

}  // namespace fovea::optim
