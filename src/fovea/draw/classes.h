#pragma once

#include <vector>

#include "fovea/images/codec.h"

namespace fovea::draw {

/// A colour for each of `count` classes, 1 to 256: the first, usually the background, is black; the
/// others differ from their neighbours, and a class has the same colour whatever the count.
std::vector<PaletteColor> class_colors(int count);

/// `picture` in RGB, with the colour of its class mixed into each pixel, but for the first class
/// and where `classes` [H,W] of the same size names none of the `colors`.
Image class_overlay(const Image& picture, const Image& classes,
                    const std::vector<PaletteColor>& colors);

}  // namespace fovea::draw
