#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// A convolution for values in any layouts: the kernel for channels-last ones, which there is
/// whatever the channels and windows, with reorders before and behind. For where the layouts
/// themselves are refused: a hundred times faster than the reference.
Offer reordered(const Problem& problem);

}  // namespace fovea::onednn
