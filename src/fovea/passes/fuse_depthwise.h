#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Fuses depthwise convolutions of f32 images with the convolutions of single pixels before and
/// after them (see DepthwiseBlock), where each of `threads` has rows enough to work on: after
/// fold_batchnorm and fuse_epilogue, for inference.
std::shared_ptr<Graph> fuse_depthwise(const Graph& graph, int threads);

}  // namespace fovea
