#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// A convolution for values in any layouts: the kernel for channels-last ones, which there is
/// whatever the channels and windows, with reorders before and behind. For where the layouts
/// themselves are refused: a hundred times faster than the reference.
Offer reordered(const Problem& problem);

/// The weight gradient of a convolution of bf16 values: the kernel for f32 ones, with casts before.
/// For where oneDNN's bf16 is refused; half as fast.
Offer widened(const Problem& problem);

}  // namespace fovea::onednn
