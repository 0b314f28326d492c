#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "fovea/images/decoders.h"

namespace fovea {
namespace {

/// The EXIF block's bytes, read in the order they declare. Reading past the end gives nothing.
class Exif {
 public:
  explicit Exif(std::span<const std::byte> bytes) : bytes_(bytes) {
    little_ = !bytes.empty() && bytes[0] == std::byte{'I'};
  }

  /// Entry 0x0112 of the first directory, or 1 (upright) where there is none.
  int orientation() const {
    const size_t directory = get(4, 4);
    const size_t entries = get(directory, 2);
    for (size_t i = 0; i < entries; ++i) {
      const size_t entry = directory + 2 + 12 * i;
      if (get(entry, 2) != 0x0112) continue;
      const size_t value = get(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
  }

 private:
  size_t get(size_t at, size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) return 0;
    size_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t place = little_ ? at + count - 1 - i : at + i;
      value = value << 8 | std::to_integer<size_t>(bytes_[place]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  bool little_ = false;
};

/// How the camera was held: 1 to 8 as EXIF numbers it, from the first EXIF segment.
int orientation_of(const EncodedImage& source) {
  constexpr std::string_view magic("Exif\0\0", 6);
  size_t at = 2;
  while (at + 4 <= source.bytes.size() && source.byte(at) == 0xff) {
    const uint8_t marker = source.byte(at + 1);
    const size_t length = source.big16(at + 2);
    if (marker == 0xda || length < 2 || length > source.bytes.size() - at - 2) break;
    const auto body = source.bytes.subspan(at + 4, length - 2);
    const std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
    if (marker == 0xe1 && text.starts_with(magic)) {
      return Exif(body.subspan(magic.size())).orientation();
    }
    at += 2 + length;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool transposed = orientation >= 5;
  const bool flip_rows =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool flip_columns =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Image out = transposed ? Image::black(image.width, image.height, image.channels)
                         : Image::black(image.height, image.width, image.channels);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      int from_y = flip_rows ? out.height - 1 - y : y,
          from_x = flip_columns ? out.width - 1 - x : x;
      if (transposed) std::swap(from_y, from_x);
      std::copy_n(image.at(from_y, from_x), image.channels, out.at(y, x));
    }
  }
  return out;
}

/// CMYK as Adobe writes it, 255 for no ink, to RGB.
Image from_inverted_cmyk(const Image& image) {
  Image rgb = Image::black(image.height, image.width, 3);
  const uint8_t* in = image.pixels.data();
  for (size_t i = 0; i < rgb.pixels.size(); i += 3, in += 4) {
    for (size_t c = 0; c < 3; ++c) {
      const int product = (255 - in[c]) * in[3] + 128;
      const int ink = ((product >> 8) + product) >> 8;  // product / 255, rounded
      rgb.pixels[i + c] = static_cast<uint8_t>(std::max(in[3] - ink, 0));
    }
  }
  return rgb;
}

}  // namespace

Image decode_jpeg(const EncodedImage& source) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) throw Error(ErrorKind::memory, "cannot allocate a JPEG decoder");
  const auto failure = [&] {
    return source.broken(std::string("damaged JPEG: ") + tjGetErrorStr2(decoder.get()))
        .with("bytes", std::to_string(source.bytes.size()));
  };
  const auto* bytes = reinterpret_cast<const unsigned char*>(source.bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, source.bytes.size(), &width, &height, &subsampling,
                          &colours) != 0) {
    throw failure();
  }
  source.check_size(static_cast<uint64_t>(height), static_cast<uint64_t>(width));
  const bool inks = colours == TJCS_CMYK || colours == TJCS_YCCK;
  const int format = inks ? TJPF_CMYK : colours == TJCS_GRAY ? TJPF_GRAY : TJPF_RGB;
  Image image = Image::black(height, width, tjPixelSize[format]);
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
  if (tjDecompress2(decoder.get(), bytes, source.bytes.size(), image.pixels.data(), width, 0,
                    height, format, flags) != 0) {
    // Stray bytes between segments lose nothing, and old cameras write them; any other warning
    // means that a part of the picture is made up.
    const std::string_view text = tjGetErrorStr2(decoder.get());
    const bool harmless = tjGetErrorCode(decoder.get()) == TJERR_WARNING &&
                          text.find("extraneous bytes") != std::string_view::npos;
    if (!harmless) throw failure();
  }
  if (inks) image = from_inverted_cmyk(image);
  return upright(std::move(image), orientation_of(source));
}

}  // namespace fovea
