#include <webp/decode.h>

#include <cstring>
#include <utility>

#include "fovea/images/decoders.h"
#include "fovea/images/orientation.h"

namespace fovea {
namespace {

constexpr size_t riff_header = 12, chunk_header = 8;

uint32_t little32(std::span<const std::byte> bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<uint32_t>(bytes[at + i]);
  return value;
}

/// From the chunk "EXIF", which comes after the pixels.
int orientation_of(std::span<const std::byte> bytes) {
  size_t at = riff_header;
  while (at + chunk_header <= bytes.size()) {
    const size_t size = little32(bytes, at + 4), begin = at + chunk_header;
    if (size > bytes.size() - begin) break;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0)
      return exif_orientation(bytes.subspan(begin, size));
    at = begin + size + size % 2;
  }
  return 1;
}

const uint8_t* data_of(const EncodedImage& source) {
  return reinterpret_cast<const uint8_t*>(source.bytes.data());
}

/// What the header says. Errors: data when it is damaged or the picture too large.
WebPBitstreamFeatures read_header(const EncodedImage& source) {
  const size_t size = source.bytes.size();
  WebPBitstreamFeatures features;
  switch (WebPGetFeatures(data_of(source), size, &features)) {
    case VP8_STATUS_OK:
      break;
    case VP8_STATUS_NOT_ENOUGH_DATA:
      throw source.broken("damaged WebP: the file ends too early")
          .with("bytes", std::to_string(size));
    default:
      throw source.broken("damaged WebP: its header cannot be read");
  }
  source.check_size(static_cast<uint64_t>(features.height), static_cast<uint64_t>(features.width));
  return features;
}

}  // namespace

ImageSize webp_size(const EncodedImage& source) {
  const WebPBitstreamFeatures features = read_header(source);
  return upright_size(features.height, features.width, orientation_of(source.bytes));
}

Image decode_webp(const EncodedImage& source) {
  const size_t size = source.bytes.size();
  const WebPBitstreamFeatures features = read_header(source);
  if (features.has_animation != 0) {
    throw source.broken("an animated WebP is not a picture")
        .with("try", "save the frame that matters as a picture of its own");
  }
  Image image = Image::black(features.height, features.width, features.has_alpha != 0 ? 4 : 3);
  const auto decode = features.has_alpha != 0 ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (decode(data_of(source), size, image.pixels.data(), image.pixels.size(),
             image.width * image.channels) == nullptr) {
    throw source.broken("damaged WebP: its pixels cannot be decoded")
        .with("bytes", std::to_string(size));
  }
  return upright(std::move(image), orientation_of(source.bytes));
}

}  // namespace fovea
