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

/// `image` scaled to height x width, the same bytes as Pillow's Image.resize: a horizontal pass,
/// rounded to 8 bits, then a vertical one, weights in fixed point of 22 bits; alpha weighs the
/// colours. Errors: usage when a side is below 1.
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
