#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// Average pooling and its gradient by oneDNN, any layout. Error: means of K numbers in f32, at
/// most K eps of the mean of absolute values. Of bf16 the result is rounded once, 2^-8 of it
/// beside; the gradient where windows overlap once for each over an element: (windows - 1) 2^-8 of
/// the sum of absolute values beside. bf16 needs AVX-512. Refuses dilation and windows that
/// ceil_mode lets stand over the end.
void add_pool_rules(const RuleSink& add);

}  // namespace fovea::onednn
