#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// Convolution, its data and its weight gradient, by oneDNN's direct kernels (jit). N, C, spatial
/// values in any layout; weights plain in, packed as the implementation likes. Error: sums of K =
/// C/groups * kernel products in f32, at most K eps of the sum of absolute products. For a fixed
/// team the same bits on every run; another team may add in another order in the weight gradient.
void add_conv_rules(const RuleSink& add);

}  // namespace fovea::onednn
