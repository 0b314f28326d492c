#pragma once

#include <optional>
#include <string_view>

#include "fovea/images/image.h"

namespace fovea {

/// How a resize weights pixels. bilinear and bicubic (a = -0.5) widen when downscaling, so that
/// nothing aliases; nearest takes one pixel.
enum class Filter { nearest, bilinear, bicubic };

/// "nearest", "bilinear", "bicubic".
std::string_view name(Filter filter);
/// The filter of that name, or nothing.
std::optional<Filter> filter_named(std::string_view name);

// All are defined for 8-bit and 16-bit images; the latter are computed in the same way, with more
// bits.

/// `image` scaled to height x width, for 8 bits the same bytes as Image.resize of Pillow 13: a
/// horizontal and a vertical pass, each rounded, weights in 22-bit fixed point; colours are
/// weighted by alpha. The horizontal pass comes first, unless the height loses more than twice as
/// many pixels as the width. In Pillow 12 and older it always does: only such tall pictures differ,
/// by rounding and, with bicubic, by clipping. Errors: usage when a side is below 1.
template <class Sample>
BasicImage<Sample> resize(const BasicImage<Sample>& image, int height, int width, Filter filter);

/// The rectangle of `height` x `width` at (top, left) of `image` scaled to `full_height` x
/// `full_width`, without computing the rest: the same bytes as resize and then crop, in the memory
/// of the rectangle. Errors: usage when the rectangle does not lie inside.
struct Region {
  int full_height, full_width;
  int top, left, height, width;
};
template <class Sample>
BasicImage<Sample> resize_window(const BasicImage<Sample>& image, const Region& window,
                                 Filter filter);

/// `image` scaled to fit into height x width with its aspect ratio, in the middle, with bars of
/// `value` beside it, 0 to 255 whatever the image. Errors: as resize.
template <class Sample>
BasicImage<Sample> letterbox(const BasicImage<Sample>& image, int height, int width, uint8_t value,
                             Filter filter);

/// The part of the result of `letterbox`, height x width, that shows an image of this size.
struct LetterboxPart {
  int top, left, height, width;
};
LetterboxPart letterbox_part(int image_height, int image_width, int height, int width);

/// The central height x width of `image`; half of an odd margin is rounded to an even number, as
/// torchvision does. Errors: usage when the image is smaller.
template <class Sample>
BasicImage<Sample> center_crop(const BasicImage<Sample>& image, int height, int width);

/// Where the centred crop of `inner` pixels out of `outer` begins.
int center_offset(int outer, int inner);

}  // namespace fovea
