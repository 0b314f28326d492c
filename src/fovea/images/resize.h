#pragma once

#include <optional>
#include <string_view>

#include "fovea/images/image.h"

namespace fovea {

/// How a resize weighs pixels. bilinear and bicubic (a = -0.5) widen with the reduction, so that
/// shrinking does not alias; nearest takes one pixel.
enum class Filter { nearest, bilinear, bicubic };

/// "nearest", "bilinear", "bicubic".
std::string_view name(Filter filter);
/// The filter of that name, or nothing.
std::optional<Filter> filter_named(std::string_view name);

/// `image` scaled to height x width, the same bytes as Image.resize of Pillow 13: a horizontal and
/// a vertical pass, each rounded to 8 bits, weights in fixed point of 22 bits; alpha weighs the
/// colours. The horizontal pass comes first, unless the height shrinks by more than twice the
/// pixels that the width does. Pillow 12 and older always begin with it: the pictures that differ
/// are such tall ones, by rounding and, with bicubic, by clipping. Errors: usage when a side is
/// below 1.
Image resize(const Image& image, int height, int width, Filter filter);

/// The rectangle of `height` x `width` at (top, left) of `image` scaled to `full_height` x
/// `full_width`, without computing the rest: the bytes of resize and then crop, in the memory of
/// the rectangle. Errors: usage when the rectangle does not lie inside.
struct Region {
  int full_height, full_width;
  int top, left, height, width;
};
Image resize_window(const Image& image, const Region& window, Filter filter);

/// The middle height x width of `image`; an odd rest is halved to the nearest even number, as
/// torchvision does. Errors: usage when the image is smaller.
Image center_crop(const Image& image, int height, int width);

/// Where the centred crop of `inner` out of `outer` begins.
int center_offset(int outer, int inner);

}  // namespace fovea
