#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// In use, a batch norm behind a convolution is a constant scale and shift a channel, which the
/// convolution can do:
///     s = gamma / sqrt(var + eps),   weight' = s weight,   bias' = beta + s (bias - mean)
/// The folded weights depend on the State only, so a Program computes them once and again when the
/// State changes. For eval graphs; a convolution whose result has other uses stays as it is.
std::shared_ptr<Graph> fold_batchnorm(const Graph& graph);

}  // namespace fovea
