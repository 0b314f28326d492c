#pragma once

#include <cstddef>
#include <span>

#include "fovea/images/image.h"

namespace fovea {

/// Whether a segment of a JPEG is an EXIF block: it begins with "Exif\0\0".
bool is_exif(std::span<const std::byte> segment);

/// How the camera was held, 1 (upright) to 8 as EXIF numbers it: the tag 0x0112 of the first
/// directory of an EXIF block, with or without that prefix. The thumbnail's directory has an
/// orientation of its own, which is ignored. A truncated or damaged block, or one without the tag,
/// means upright: it says nothing about the pixels.
int exif_orientation(std::span<const std::byte> exif);

/// Whether a picture with this orientation lies on its side: upright, height and width swap.
constexpr bool on_its_side(int orientation) { return orientation >= 5; }

/// The image turned upright, as Pillow's ImageOps.exif_transpose does.
template <class Sample>
BasicImage<Sample> upright(BasicImage<Sample> image, int orientation);

}  // namespace fovea
