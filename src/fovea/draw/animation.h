#pragma once

#include <span>
#include <string>

#include "fovea/images/image.h"

namespace fovea::draw {

/// Frames shown one after another, again and again, as an animated PNG (APNG 1.0): programs that do
/// not know it show the first. Each frame is shown for `seconds`, the last one three times as long.
/// Errors: usage when there is no frame, or their sizes or channels differ.
std::string animated_png(std::span<const Image> frames, double seconds = 0.5);

}  // namespace fovea::draw
