#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// Muon (Jordan et al. 2024), for matrices and convolution filters: momentum whose singular values
/// are all brought close to 1. A filter [O, I, ...] counts as the matrix of its O rows.
///     b = momentum b + (1 - momentum) grad;   g = nesterov ? (1 - momentum) grad + momentum b : b
///     X = g / |g|, then `steps` times  X = a X + (b X X' + c (X X')^2) X       (Newton-Schulz)
///     p -= lr weight_decay p;   p -= lr sqrt(max(1, rows / columns)) X
/// With `rescale` p is first scaled to a norm of sqrt(rows), as for the filters of a net whose
/// norms make their scale meaningless. It keeps b as "momentum:PARAMETER".
///
/// Arrays of fewer than two axes (biases, scales of norms) need another optimiser (see
/// Optimizer::add), and the first and the last layer usually train better with one, too. Errors of
/// `declare`: usage for such an array.
struct MuonOptions {
  double momentum = 0.95;
  bool nesterov = true;
  int64_t steps = 5;
  double a = 3.4445, b = -4.7750, c = 2.0315;
  bool rescale = false;
  double weight_decay = 0;
};
/// Does not check the options, as `parse` does: momentum is at least 0 and below 1, steps from 1 to
/// 100, a, b and c from -100 to 100, weight_decay at least 0.
std::unique_ptr<Optimizer> muon(const MuonOptions& options);

}  // namespace fovea::optim
