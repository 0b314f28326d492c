#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::simd {

/// The rules for the three passes of a convolution whose weights are many and whose positions are
/// few: see im2col.cpp.
Offer make_im2col(const Problem& problem);
double im2col_price(const Problem& problem);

}  // namespace fovea::simd
