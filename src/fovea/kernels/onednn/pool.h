#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// Average pooling and its gradient by oneDNN, any layout. Error: means of K numbers in f32, at
/// most K eps of the mean of absolute values. Refuses dilation and windows that ceil_mode lets
/// stand over the end.
void add_pool_rules(const RuleSink& add);

}  // namespace fovea::onednn
