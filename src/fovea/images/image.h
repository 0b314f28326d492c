#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea {

/// How small a picture may be decoded that is resized afterwards: not below these sides; 0: at its
/// own size.
struct MinimumSize {
  int height = 0;
  int width = 0;

  bool operator==(const MinimumSize&) const = default;
};

/// A picture of 8-bit samples, H, W, C row-major without gaps. Channels: 1 gray, 3 RGB, 4 RGB and
/// alpha (not premultiplied).
struct Image {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  /// An image of zeros. Errors: usage when a side is below 1 or channels are not 1, 3 or 4.
  static Image black(int height, int width, int channels);

  /// Where the samples of pixel (y, x) begin.
  uint8_t* at(int y, int x) { return pixels.data() + offset(y, x); }
  const uint8_t* at(int y, int x) const { return pixels.data() + offset(y, x); }

  bool operator==(const Image&) const = default;

 private:
  size_t offset(int y, int x) const {
    return (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) *
           static_cast<size_t>(channels);
  }
};

/// Throws usage unless `image` has sides of at least 1, 1, 3 or 4 channels, and exactly as many
/// samples as these imply. Every function that takes an Image calls it first.
void check(const Image& image);

/// One channel: 0.299 R + 0.587 G + 0.114 B (ITU-R 601-2) in 16-bit fixed point, rounded, the same
/// bytes as Pillow's "L". Alpha is dropped, not blended.
Image to_gray(const Image& image);

/// Three channels: gray repeated, alpha dropped (as Pillow's convert("RGB")).
Image to_rgb(const Image& image);

}  // namespace fovea
