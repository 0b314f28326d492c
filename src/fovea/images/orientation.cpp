#include "fovea/images/orientation.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace fovea {
namespace {

/// A TIFF header and what follows it, read in the byte order that it declares. Reading past the end
/// gives 0.
class Tiff {
 public:
  explicit Tiff(std::span<const std::byte> bytes)
      : bytes_(bytes), little_(!bytes.empty() && bytes[0] == std::byte{'I'}) {}

  uint32_t get(size_t at, size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t place = little_ ? at + count - 1 - i : at + i;
      value = value << 8 | std::to_integer<uint32_t>(bytes_[place]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool little_;
};

constexpr std::string_view magic("Exif\0\0", 6);

}  // namespace

bool is_exif(std::span<const std::byte> segment) {
  const std::string_view text(reinterpret_cast<const char*>(segment.data()), segment.size());
  return text.starts_with(magic);
}

int exif_orientation(std::span<const std::byte> exif) {
  constexpr uint32_t orientation_tag = 0x0112, short_type = 3, long_type = 4;
  const Tiff tiff(is_exif(exif) ? exif.subspan(magic.size()) : exif);
  if (tiff.get(2, 2) != 42) return 1;
  const size_t directory = tiff.get(4, 4);
  const size_t entries = tiff.get(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (tiff.get(entry, 2) != orientation_tag) continue;
    const uint32_t type = tiff.get(entry + 2, 2), count = tiff.get(entry + 4, 4);
    const size_t size = type == short_type ? 2 : type == long_type ? 4 : 0;
    if (size == 0 || count == 0 || count > 4 / size) return 1;  // not stored in place
    const uint32_t value = tiff.get(entry + 8, size);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

template <class Sample>
BasicImage<Sample> upright(BasicImage<Sample> image, int orientation) {
  if (orientation == 1) return image;
  const bool transposed = on_its_side(orientation);
  const bool flip_rows =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool flip_columns =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  auto out = transposed ? BasicImage<Sample>::black(image.width, image.height, image.channels)
                        : BasicImage<Sample>::black(image.height, image.width, image.channels);
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

template Image upright(Image, int);
template Image16 upright(Image16, int);

}  // namespace fovea
