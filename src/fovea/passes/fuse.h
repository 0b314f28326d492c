#pragma once

#include <memory>

#include "fovea/graph/graph.h"
#include "fovea/passes/part.h"

namespace fovea {

/// Fuses batch_norm, then add, then an activation into one op that touches memory once: y =
/// relu(norm(x) + residual); where there is no add, also a max-pool whose square windows tile the
/// images. Runs before autodiff, since the fused op has its own gradient; all of them are optional,
/// but the norm's result must have no other use, and its statistics none before the last of them.
std::shared_ptr<Graph> fuse_norm(const Graph& graph);

/// Fuses a convolution or linear layer and the activations and adds after it into one op with an
/// epilogue: y = hardswish(conv(x) + bias), y = relu(conv(x) + bias + residual). Where a linear
/// layer's channels are moved from the last axis before an add, the add comes first, of what is
/// added with its channels moved there. Only for graphs without gradients, or their frozen part.
std::shared_ptr<Graph> fuse_epilogue(const Graph& graph, Part part = Part::all);

}  // namespace fovea
