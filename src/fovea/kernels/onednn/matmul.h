#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// `linear` and `matmul` by oneDNN's matrix product, plain layout; transposes are strides, at no
/// cost. Error: sums of K products in f32, at most K eps of the sum of absolute products; a bf16
/// result is rounded once: another 2^-8 of it. bf16 needs AVX-512, and is refused
/// where f32 is faster (see refuse_products). The same bits for a fixed team size.
void add_matmul_rules(const RuleSink& add);

}  // namespace fovea::onednn
