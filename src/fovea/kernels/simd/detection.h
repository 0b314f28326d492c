#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::simd {

Offer make_detection_head(const Problem& problem);
Offer make_match_anchors(const Problem& problem);
Offer make_match_points(const Problem& problem);
Offer make_keep_detections(const Problem& problem);
Offer make_largest_mask(const Problem& problem);

}  // namespace fovea::simd
