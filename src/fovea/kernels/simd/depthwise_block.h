#pragma once

#include <vector>

#include "fovea/kernels/kernel.h"

namespace fovea::simd {

/// The rule for DepthwiseBlock: see depthwise_block.cpp.
Offer make_depthwise_block(const Problem& problem);
/// x as it is, what is added and y as other kernels prefer them.
std::vector<Layouts> depthwise_block_layouts(const Problem& problem);

}  // namespace fovea::simd
