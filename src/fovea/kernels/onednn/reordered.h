#pragma once

#include <functional>

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// A convolution for values in any layouts: what `make` offers for channels-last ones, which oneDNN
/// has fast kernels for whatever the channels and windows, with reorders before and behind. For
/// where the layouts themselves are refused: a hundred times faster than the reference.
Offer reordered(const Problem& problem, const std::function<Offer(const Problem&)>& make);

}  // namespace fovea::onednn
