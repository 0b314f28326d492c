#pragma once

#include <cstdint>
#include <optional>

#include "fovea/data/transforms/image_transform.h"

namespace fovea::data {

/// A rectangle of an image, in pixels.
struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// A random rectangle inside an image: its fraction of the area uniform in `area`, width / height
/// log-uniform in `ratio`, every position equally likely. None if ten tries fail.
std::optional<Box> random_box(int64_t height, int64_t width, Range area, Range ratio,
                              Random& random);

/// The box of torchvision's RandomResizedCrop: a random one, or if none fits the largest central
/// one whose width / height is in `ratio`.
Box random_crop_box(int64_t height, int64_t width, Range area, Range ratio, Random& random);

}  // namespace fovea::data
