#pragma once

#include <cstdint>

namespace fovea::simd {

/// out[j * out_step + i] = in[i * in_step + j] for all of `rows` i and `columns` j: see moves.cpp.
void transpose(const float* in, int64_t in_step, float* out, int64_t out_step, int64_t rows,
               int64_t columns);

}  // namespace fovea::simd
