#include "fovea/data/nifti.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/data_file.h"
#include "fovea/formats/bytes.h"

namespace fovea::data {
namespace {

constexpr int64_t header_bytes = 348;
constexpr int64_t dim_at = 40, datatype_at = 70, pixdim_at = 76, offset_at = 108, slope_at = 112,
                  inter_at = 116, units_at = 123, qform_code_at = 252, sform_code_at = 254,
                  quaternion_at = 256, sform_at = 280, magic_at = 344;
constexpr std::string_view nifti_file = "NIfTI file", by_header = "by its header";

/// Numbers of one byte order.
class Numbers {
 public:
  explicit Numbers(bool big) : big_(big) {}

  template <class Word>
  Word word(std::span<const std::byte> bytes) const {
    if (!big_) return little_endian<Word>(bytes);
    Word value = 0;
    for (size_t i = 0; i < sizeof(Word); ++i)
      value =
          static_cast<Word>(value << (sizeof(Word) > 1 ? 8 : 0)) | std::to_integer<Word>(bytes[i]);
    return value;
  }
  float real(std::span<const std::byte> bytes) const {
    return std::bit_cast<float>(word<uint32_t>(bytes));
  }
  int16_t small(std::span<const std::byte> bytes) const {
    return static_cast<int16_t>(word<uint16_t>(bytes));
  }

 private:
  bool big_;
};

/// A type of voxels: how many bytes each has, and its value.
struct VoxelType {
  int code;
  int64_t bytes;
  double (*value)(const Numbers&, std::span<const std::byte>);
};

template <class Word, class Value>
double as_number(const Numbers& numbers, std::span<const std::byte> bytes) {
  return static_cast<double>(std::bit_cast<Value>(numbers.word<Word>(bytes)));
}

constexpr std::array<VoxelType, 10> voxel_types{{{2, 1, as_number<uint8_t, uint8_t>},
                                                 {4, 2, as_number<uint16_t, int16_t>},
                                                 {8, 4, as_number<uint32_t, int32_t>},
                                                 {16, 4, as_number<uint32_t, float>},
                                                 {64, 8, as_number<uint64_t, double>},
                                                 {256, 1, as_number<uint8_t, int8_t>},
                                                 {512, 2, as_number<uint16_t, uint16_t>},
                                                 {768, 4, as_number<uint32_t, uint32_t>},
                                                 {1024, 8, as_number<uint64_t, int64_t>},
                                                 {1280, 8, as_number<uint64_t, uint64_t>}}};

struct Header {
  Numbers numbers{false};
  Shape shape;  ///< C, D, H, W
  const VoxelType* type = nullptr;
  int64_t offset = 0;  ///< of the voxels
  double slope = 1, inter = 0;
  VoxelAxes axes{};
};

/// The header's parts, as they are read and checked.
class HeaderReader {
 public:
  HeaderReader(const DataFile& file, std::span<const std::byte> bytes)
      : file_(file), bytes_(bytes) {}

  Header read() {
    Header header{.numbers = byte_order(), .shape = {}};
    check_magic();
    header.shape = shape(header.numbers);
    header.type = type(header.numbers);
    header.offset = offset(header.numbers);
    const double slope = header.numbers.real(at(slope_at)),
                 inter = header.numbers.real(at(inter_at));
    if (std::isfinite(slope) && slope != 0) {
      header.slope = slope;
      header.inter = std::isfinite(inter) ? inter : 0;
    }
    header.axes = axes(header.numbers);
    return header;
  }

 private:
  std::span<const std::byte> at(int64_t place) const {
    return bytes_.subspan(static_cast<size_t>(place));
  }

  Numbers byte_order() const {
    for (const bool big : {false, true}) {
      const Numbers numbers(big);
      const auto size = numbers.word<uint32_t>(bytes_);
      if (size == header_bytes) return numbers;
      if (size == 540) {
        throw file_.error("is NIfTI-2", 0, "NIfTI-1, whose header has 348 bytes", "540 bytes");
      }
    }
    throw file_.error("does not begin like one", 0, "348, the size of the header, in 4 bytes",
                      fmt::format("{}", Numbers(false).word<uint32_t>(bytes_)));
  }

  void check_magic() const {
    char magic[4];
    std::memcpy(magic, at(magic_at).data(), sizeof magic);
    if (std::memcmp(magic, "n+1", 4) == 0) return;
    if (std::memcmp(magic, "ni1", 4) == 0) {
      throw file_.error("is one of a pair, .hdr and .img", magic_at, "one file, with \"n+1\"",
                        "\"ni1\"");
    }
    throw file_.error("does not have its magic number", magic_at, "\"n+1\"", "other bytes");
  }

  Shape shape(const Numbers& numbers) const {
    std::array<int64_t, 8> dim{};
    for (size_t i = 0; i < dim.size(); ++i)
      dim[i] = numbers.small(at(dim_at + 2 * static_cast<int64_t>(i)));
    if (dim[0] < 1 || dim[0] > 7)
      throw bad_dimensions("1 to 7 dimensions", fmt::format("{}", dim[0]));
    for (size_t i = 1; i < dim.size(); ++i) {
      if (static_cast<int64_t>(i) > dim[0]) dim[i] = 1;
      if (dim[i] < 1)
        throw bad_dimensions("sizes from 1", fmt::format("{} of dimension {}", dim[i], i));
    }
    if (dim[6] > 1 || dim[7] > 1 || (dim[4] > 1 && dim[5] > 1)) {
      throw bad_dimensions("volumes, with one further dimension at most",
                           fmt::format("{}x{}x{}x{}x{}x{}x{}", dim[1], dim[2], dim[3], dim[4],
                                       dim[5], dim[6], dim[7]));
    }
    const Shape shape{std::max(dim[4], dim[5]), dim[3], dim[2], dim[1]};
    int64_t count = 1;
    for (const int64_t side : shape) {
      count *= side;  // of at most 2^28 and 2^15
      if (count > largest_volume)
        throw bad_dimensions(fmt::format("at most {} voxels", largest_volume), to_string(shape));
    }
    return shape;
  }
  Error bad_dimensions(std::string_view expected, std::string_view found) const {
    return file_.error("has dimensions that cannot be used", dim_at, expected, found);
  }

  const VoxelType* type(const Numbers& numbers) const {
    const int code = numbers.small(at(datatype_at));
    const auto found = std::ranges::find(voxel_types, code, &VoxelType::code);
    if (found != voxel_types.end()) return &*found;
    throw file_.error("has voxels of a type that is not read", datatype_at,
                      "integers or real numbers of up to 64 bits",
                      code == 128    ? "RGB"
                      : code == 32   ? "complex numbers"
                      : code == 1536 ? "real numbers of 128 bits"
                                     : fmt::format("type {}", code));
  }

  int64_t offset(const Numbers& numbers) const {
    constexpr float furthest = 1 << 24;
    const float offset = numbers.real(at(offset_at));
    if (offset >= 352 && offset <= furthest) return static_cast<int64_t>(offset);
    throw file_.error("says that its voxels begin at an impossible place", offset_at,
                      "vox_offset from 352 to 16777216", fmt::format("{}", offset));
  }

  VoxelAxes axes(const Numbers& numbers) const {
    std::array<double, 3> spacing{};
    for (size_t i = 0; i < 3; ++i)
      spacing[i] = numbers.real(at(pixdim_at + 4 * static_cast<int64_t>(i + 1)));
    VoxelAxes axes;
    if (numbers.small(at(sform_code_at)) > 0) {
      const AxisDirections matrix = sform(numbers);
      for (size_t i = 0; i < 3; ++i)
        spacing[i] = std::hypot(matrix[0][i], matrix[1][i], matrix[2][i]);
      axes = closest(matrix, sform_at, "an sform of three directions", text(matrix));
    } else if (numbers.small(at(qform_code_at)) > 0) {
      axes = qform(numbers);
    }
    const int unit = std::to_integer<int>(at(units_at)[0]) & 7;
    const double millimetres = unit == 1 ? 1000 : unit == 3 ? 0.001 : 1;
    for (size_t i = 0; i < 3; ++i) {
      if (std::isfinite(spacing[i]) && spacing[i] > 0) axes.spacing[i] = spacing[i] * millimetres;
    }
    return axes;
  }

  AxisDirections sform(const Numbers& numbers) const {
    AxisDirections matrix{};
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 3; ++c)
        matrix[r][c] = numbers.real(at(sform_at + static_cast<int64_t>(16 * r + 4 * c)));
    }
    return matrix;
  }

  /// The rotation of the quaternion a + bi + cj + dk of length 1, of which b, c and d are stored;
  /// the third axis is reversed if pixdim[0] is negative.
  VoxelAxes qform(const Numbers& numbers) const {
    const double b = numbers.real(at(quaternion_at)), c = numbers.real(at(quaternion_at + 4)),
                 d = numbers.real(at(quaternion_at + 8));
    const double squares = b * b + c * c + d * d;
    constexpr double rounding = 1e-4;
    const std::string found = fmt::format("{}, {}, {}", b, c, d), wanted = "a quaternion up to 1";
    if (!(squares <= 1 + rounding)) throw no_orientation(quaternion_at, wanted, found);
    const double a = std::sqrt(std::max(0.0, 1 - squares));
    const double k = numbers.real(at(pixdim_at)) < 0 ? -1 : 1;
    return closest(
        {{{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), k * 2 * (b * d + a * c)},
          {2 * (b * c + a * d), a * a + c * c - b * b - d * d, k * 2 * (c * d - a * b)},
          {2 * (b * d - a * c), 2 * (c * d + a * b), k * (a * a + d * d - b * b - c * c)}}},
        quaternion_at, wanted, found);
  }

  VoxelAxes closest(const AxisDirections& matrix, int64_t place, std::string_view expected,
                    std::string_view found) const {
    if (const std::optional<VoxelAxes> axes = closest_axes(matrix)) return *axes;
    throw no_orientation(place, expected, found);
  }
  Error no_orientation(int64_t place, std::string_view expected, std::string_view found) const {
    return file_.error("has an orientation that cannot be used", place, expected, found)
        .with("try", "sform_code and qform_code 0 in its header: its axes then stay as they are");
  }

  static std::string text(const AxisDirections& m) {
    std::string text;
    for (const auto& row : m)
      text += fmt::format("{}{}, {}, {}", text.empty() ? "" : "; ", row[0], row[1], row[2]);
    return text;
  }

  const DataFile& file_;
  std::span<const std::byte> bytes_;
};

/// Reads the header from the beginning of a file.
Header read_header(DataFile& file, std::vector<std::byte>& buffer) {
  buffer.resize(header_bytes);
  file.read(buffer, header_bytes, "for its header");
  return HeaderReader(file, buffer).read();
}

}  // namespace

VoxelAxes nifti_axes(const std::filesystem::path& path) {
  DataFile file(path, nifti_file);
  std::vector<std::byte> buffer;
  return read_header(file, buffer).axes;
}

Array read_nifti(const std::filesystem::path& path, const VoxelAxes* axes) {
  constexpr int64_t voxels_at_once = 1 << 16;
  DataFile file(path, nifti_file);
  std::vector<std::byte> buffer;
  const Header header = read_header(file, buffer);
  const int64_t count = header.shape.numel(), each = header.type->bytes;
  const int64_t total = header.offset + count * each;
  file.expect_size(total, by_header);
  buffer.resize(static_cast<size_t>(std::max(voxels_at_once * each, header.offset)));
  const std::span<std::byte> space(buffer);
  file.read(space.first(static_cast<size_t>(header.offset - header_bytes)), total, by_header);
  Array result(DType::f32, header.shape);
  const std::span<float> values = result.data<float>();
  for (int64_t first = 0; first < count; first += voxels_at_once) {
    const int64_t n = std::min(voxels_at_once, count - first);
    const auto part = space.first(static_cast<size_t>(n * each));
    file.read(part, total, by_header);
    for (int64_t i = 0; i < n; ++i) {
      const double value = header.type->value(
          header.numbers, part.subspan(static_cast<size_t>(i * each), static_cast<size_t>(each)));
      values[static_cast<size_t>(first + i)] =
          static_cast<float>(value * header.slope + header.inter);
    }
  }
  file.expect_end(by_header);
  return turned(result, axes != nullptr ? *axes : header.axes);
}

}  // namespace fovea::data
