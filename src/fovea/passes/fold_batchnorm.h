#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// At inference, a batch norm after a convolution is a constant scale and shift per channel, which
/// the convolution can include:
///     s = gamma / sqrt(var + eps),   weight' = s weight,   bias' = beta + s (bias - mean)
/// The folded weights depend only on the State, so a Program computes them once, and again when the
/// State changes. For eval graphs; a convolution whose result has other uses is left unchanged.
std::shared_ptr<Graph> fold_batchnorm(const Graph& graph);

}  // namespace fovea
