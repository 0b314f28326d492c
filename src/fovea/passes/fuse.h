#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// batch_norm, then an add, then relu become one op that touches memory once: y = relu(norm(x) +
/// residual). Runs before autodiff, since the fused op has a gradient of its own; add and relu are
/// each optional, but the norm's result must have no other use.
std::shared_ptr<Graph> fuse_norm(const Graph& graph);

/// Convolution, then an add, then relu become one convolution with an epilogue: y = relu(conv(x) +
/// bias + residual). For graphs without gradients only.
std::shared_ptr<Graph> fuse_conv(const Graph& graph);

}  // namespace fovea
