#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <variant>
#include <vector>

namespace fovea {

/// How small a picture may be decoded that is resized afterwards: not below these sides; 0: at its
/// own size.
struct MinimumSize {
  int height = 0;
  int width = 0;

  bool operator==(const MinimumSize&) const = default;
};

/// A picture of 8-bit or 16-bit samples (uint8_t, uint16_t), H, W, C row-major without gaps.
/// Channels: 1 gray, 3 RGB, 4 RGB and alpha (not premultiplied).
template <class Sample>
struct BasicImage {
  /// The sample of full intensity: 255 or 65535.
  static constexpr int white = std::numeric_limits<Sample>::max();

  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<Sample> pixels;

  /// An image of zeros. Errors: usage when a side is below 1 or channels are not 1, 3 or 4.
  static BasicImage black(int height, int width, int channels);

  /// Where the samples of pixel (y, x) begin.
  Sample* at(int y, int x) { return pixels.data() + offset(y, x); }
  const Sample* at(int y, int x) const { return pixels.data() + offset(y, x); }

  bool operator==(const BasicImage&) const = default;

 private:
  size_t offset(int y, int x) const {
    return (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) *
           static_cast<size_t>(channels);
  }
};

using Image = BasicImage<uint8_t>;
using Image16 = BasicImage<uint16_t>;
/// A picture as its file has it.
using AnyImage = std::variant<Image, Image16>;

/// Holds the sum of any weighted samples in fixed point.
template <class Sample>
using WideSample = std::conditional_t<sizeof(Sample) == 1, int32_t, int64_t>;

/// The picture with 8 bits per sample, the upper ones: the same as Pillow's and libpng's narrowing.
Image to_8_bits(AnyImage image);
/// The picture with 16 bits per sample: 255 becomes 65535.
Image16 to_16_bits(AnyImage image);

// The functions below are defined for both kinds of images.

/// Throws usage unless `image` has sides of at least 1, 1, 3 or 4 channels, and exactly as many
/// samples as these imply. Every function that takes an Image calls it first.
template <class Sample>
void check(const BasicImage<Sample>& image);

/// 0.299 R + 0.587 G + 0.114 B, rounded.
template <class Sample>
Sample gray_of(const Sample* rgb) {
  // The weights times 2^16, and one half to round.
  const WideSample<Sample> r = rgb[0], g = rgb[1], b = rgb[2];
  return static_cast<Sample>((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16);
}

/// One channel: 0.299 R + 0.587 G + 0.114 B (ITU-R 601-2) in 16-bit fixed point, rounded, the same
/// bytes as Pillow's "L". Alpha is dropped, not blended.
template <class Sample>
BasicImage<Sample> to_gray(const BasicImage<Sample>& image);

/// Three channels: gray repeated, alpha dropped (as Pillow's convert("RGB")).
template <class Sample>
BasicImage<Sample> to_rgb(const BasicImage<Sample>& image);

}  // namespace fovea
