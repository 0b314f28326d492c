#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// A convolution for values in any layouts: the kernel for channels-last values, which exists for
/// all channels and windows, with reorders before and after. For layouts that are refused
/// otherwise: a hundred times faster than the reference.
Offer reordered(const Problem& problem);

}  // namespace fovea::onednn
