#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Has convolutions do what batch norms before and after them need of their inputs and results,
/// where the kernel that computes them can (see NormConv):
/// - Those that read y of a norm, and the gradients of their weights, apply the norm and its
///   activation to what they read. Such a y is neither written nor read, nor computed once more in
///   the backward pass. One with other uses, or to which a residual is added, is stored as before.
/// - Those whose results a norm reads compute their moments, so that the norm need not read them
///   for its statistics.
/// For training, after all other passes, since kernels depend on layouts. `threads`: of the
/// kernels' team.
std::shared_ptr<Graph> fuse_norm_conv(const Graph& graph, int threads);

}  // namespace fovea
