#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// With its running statistics, a batch norm after a convolution is a constant scale and shift per
/// channel, which the convolution can include:
///     s = gamma / sqrt(var + eps),   weight' = s weight,   bias' = beta + s (bias - mean)
/// The folded weights depend only on the State: in eval graphs a Program computes them once, and
/// again when the State changes; with `gradients`, as in training, in each step, forward and
/// backward, and therefore those of layers that learn only where they are fewer than the norm's
/// values. A convolution whose result has other uses is left unchanged.
std::shared_ptr<Graph> fold_batchnorm(const Graph& graph, bool gradients = false);

}  // namespace fovea
