#pragma once

#include <cstdint>
#include <vector>

#include "fovea/core/array.h"

// The boxes at which detection nets look, f32 [4, A]: rows x1, y1, x2, y2 in pixels of the image.
// They are in the order of the levels, from top to bottom and left to right, and at each place in
// the order of their shapes, as in torchvision.
namespace fovea::models {

/// The size of the feature map of one level.
struct MapSize {
  int64_t height = 0, width = 0;
};

/// Anchors of a feature pyramid: at each pixel (i, j) of a map a box of each ratio (of height to
/// width) and size (the root of its area), around (j, i) times the level's stride, which is the
/// size of the image over that of the map, rounded down. `sizes`: of each level.
Array grid_anchors(const std::vector<MapSize>& maps, int64_t height, int64_t width,
                   const std::vector<std::vector<double>>& sizes,
                   const std::vector<double>& ratios);

/// The default boxes of an SSD (Liu et al. 2016): around the middle of each pixel one of the
/// level's scale, one of the mean of it and the next, and two of each ratio and its inverse.
/// `scales`: one more than there are levels; shares of the image.
Array default_boxes(const std::vector<MapSize>& maps, int64_t height, int64_t width,
                    const std::vector<double>& scales, const std::vector<double>& ratios);

}  // namespace fovea::models
