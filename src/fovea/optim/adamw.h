#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// AdamW (Loshchilov & Hutter 2019), as PyTorch's: decay is decoupled from the gradient,
///     p -= lr weight_decay p;   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///     p -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
/// where t counts the updates of that parameter: one that was frozen at first starts at 1. It keeps
/// m, v and t as "exp_avg:PARAMETER", "exp_avg_sq:PARAMETER" and "step:PARAMETER".
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;
  Decay decay = Decay::all;
};
/// Does not check the options, as `parse` does: beta1 and beta2 are at least 0 and below 1, eps and
/// weight_decay at least 0.
std::unique_ptr<Optimizer> adamw(const AdamWOptions& options);

}  // namespace fovea::optim
