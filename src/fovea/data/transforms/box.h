#pragma once

#include <cstdint>
#include <optional>

#include "fovea/data/transforms/image_transform.h"

namespace fovea::data {

/// A rectangle of an image, in pixels.
struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// A random rectangle inside of an image: its share of the image's area uniform in `area`, width /
/// height log-uniform in `ratio`, every place equally likely. Nothing where ten tries fit none.
std::optional<Box> random_box(int64_t height, int64_t width, Range area, Range ratio,
                              Random& random);

/// The box that torchvision's RandomResizedCrop takes: a random one, or where none fits the largest
/// one in the middle whose width / height is in `ratio`.
Box random_crop_box(int64_t height, int64_t width, Range area, Range ratio, Random& random);

}  // namespace fovea::data
