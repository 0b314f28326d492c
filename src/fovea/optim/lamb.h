#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// LAMB (You et al. 2020), for large batches: Adam's direction, scaled for each array so that a
/// step is lr times the norm of the array,
///     m, v as in AdamW;   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
///     p -= lr (|p| / |u|) u
/// where the ratio of the norms is 1 if either is 0. It keeps m, v and t as AdamW does.
struct LambOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-6;
  double weight_decay = 0.01;
  Decay decay = Decay::all;
};
/// Does not check the options, as `parse` does: beta1 and beta2 are at least 0 and below 1, eps and
/// weight_decay at least 0.
std::unique_ptr<Optimizer> lamb(const LambOptions& options);

}  // namespace fovea::optim
