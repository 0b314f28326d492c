#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// `linear` and `matmul` by oneDNN's matrix product, plain layout; transposes cost nothing, they
/// are strides. Error: sums of K products in f32, at most K eps of the sum of absolute products; a
/// bf16 result is rounded once: 2^-8 of it beside. bf16 needs AVX-512. The same bits for a fixed
/// team.
void add_matmul_rules(const RuleSink& add);

}  // namespace fovea::onednn
