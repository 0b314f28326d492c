#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// Average pooling and its gradient by oneDNN, any layout. Error: means
/// of K numbers in f32, at most K eps of the mean of absolute values; for
/// bf16, which needs AVX-512, another 2^-8 of the result. Refuses
/// dilation, ceil_mode, and for bf16 the gradient of overlapping windows.
void add_pool_rules(const RuleSink& add);

}  // namespace fovea::onednn
