#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Has convolutions after batch norms, and the gradients of their weights, apply the norm and its
/// activation to what they read (see NormConv), where the kernel that computes them can: the norm
/// then only computes its statistics, and its y is neither written nor read, nor computed once more
/// in the backward pass. A y with other uses, or to which a residual is added, is stored as before.
/// In f32 the results have the same bits. For training, after all other passes, since kernels
/// depend on the layouts. `threads`: of the kernels' team.
std::shared_ptr<Graph> fuse_norm_conv(const Graph& graph, int threads);

}  // namespace fovea
