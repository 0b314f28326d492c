#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "fovea/core/error.h"
#include "fovea/images/codec.h"
#include "fovea/images/image.h"
#include "fovea/images/orientation.h"

namespace fovea {

/// An encoded picture, and what messages call it.
struct EncodedImage {
  std::span<const std::byte> bytes;
  std::string name;
  int64_t max_pixels;
  MinimumSize minimum;

  uint8_t byte(size_t i) const { return std::to_integer<uint8_t>(bytes[i]); }
  /// Two and four bytes, most significant first.
  uint32_t big16(size_t i) const { return uint32_t{byte(i)} << 8 | byte(i + 1); }
  uint32_t big32(size_t i) const { return big16(i) << 16 | big16(i + 2); }

  Error broken(const std::string& what) const { return {ErrorKind::data, name + ": " + what}; }
  Error unsupported(const std::string& what) const {
    return broken(what).with("try", "convert it to an ordinary 8-bit JPEG, or to PNG");
  }
  /// Errors: data when a side is 0 or there are more pixels than allowed.
  void check_size(uint64_t height, uint64_t width) const;
};

AnyImage decode_png(const EncodedImage& source);
Image decode_stored_png(const EncodedImage& source);
Image decode_jpeg(const EncodedImage& source);
Image decode_webp(const EncodedImage& source);

/// The size of a picture of height x width once it is turned upright.
inline ImageSize upright_size(int height, int width, int orientation) {
  return on_its_side(orientation) ? ImageSize{width, height} : ImageSize{height, width};
}

/// From the bytes up to the pixels.
ImageSize jpeg_size(const EncodedImage& source);
/// From all bytes: what turns it upright may come after the pixels.
ImageSize png_size(const EncodedImage& source);
ImageSize webp_size(const EncodedImage& source);

/// The bytes of PngEffort::fast, for images of less than a gigabyte.
std::string fast_png_bytes(const Image& image);
bool fits_fast_png(const Image& image);

}  // namespace fovea
