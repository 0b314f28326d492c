#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::simd {

/// ArgMax and ConfusionMatrix in f32.
Offer make_argmax(const Problem& problem);
Offer make_confusion_matrix(const Problem& problem);

}  // namespace fovea::simd
