#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// A learned scale per channel after a linear layer or a convolution (layer scale) becomes part of
/// their weights:
///     s (w x + b) = (s w) x + s b
/// In training that takes away what reads and writes the layer's result, also for the gradient of
/// s, which comes from that of s w; so only layers with fewer weights than results. A permutation
/// of the channels from the last axis may be in between. A layer whose result has other uses is
/// left unchanged.
std::shared_ptr<Graph> fold_scale(const Graph& graph);

}  // namespace fovea
