#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Removes redundant nodes: those that no output or update depends on (unused gradients),
/// duplicates of a node with the same op, attributes and inputs (two casts of one weight), and
/// casts that undo a lossless one (bf16 to f32 and back). The gradient of a convolution's bias
/// whose weight is frozen becomes a sum.
std::shared_ptr<Graph> simplify(const Graph& graph);

}  // namespace fovea
