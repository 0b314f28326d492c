#include "fovea/images/codec.h"

#include <fmt/format.h>

#include <png.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/images/decoders.h"

namespace fovea {

void EncodedImage::check_size(uint64_t height, uint64_t width) const {
  const std::string size = fmt::format("{}x{}", height, width);
  if (height == 0 || width == 0) throw broken(fmt::format("its header declares {} pixels", size));
  // No format has sides of more than 31 bits, so the product fits.
  if (height * width > static_cast<uint64_t>(max_pixels)) {
    throw broken(fmt::format("its header declares {} pixels, too many to read", size))
        .with("pixels", std::to_string(height * width))
        .with("limit", std::to_string(max_pixels))
        .with("try", fmt::format("--max-pixels {}, if there are 12 bytes of memory per pixel",
                                 height * width));
  }
}

namespace {

enum class Format { png, jpeg, webp };

/// The format that the first bytes have. Errors: data when it is none of them.
Format format_of(const EncodedImage& source) {
  const std::string_view text(reinterpret_cast<const char*>(source.bytes.data()),
                              source.bytes.size());
  if (text.empty()) throw source.broken("the file is empty");
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return Format::png;
  if (text.starts_with("\xff\xd8\xff")) return Format::jpeg;
  if (text.starts_with("RIFF") && text.substr(0, 12).ends_with("WEBP")) return Format::webp;
  throw source.broken("not a PNG, JPEG or WebP")
      .with("try", "convert it to one of them; the name's suffix does not matter");
}

/// No file with so many pixels is longer, even uncompressed.
FileBytes read_encoded(const std::filesystem::path& path, int64_t max_pixels) {
  constexpr size_t bytes_per_pixel = 8, everything_else = size_t{64} << 20;
  const auto pixels = static_cast<size_t>(std::clamp<int64_t>(max_pixels, 0, int64_t{1} << 40));
  return read_file(path, ErrorKind::data, bytes_per_pixel * pixels + everything_else);
}

ImageSize encoded_size(const EncodedImage& source) {
  switch (format_of(source)) {
    case Format::png:
      return png_size(source);
    case Format::jpeg:
      return jpeg_size(source);
    default:
      return webp_size(source);
  }
}

}  // namespace

AnyImage decode_any_image(std::span<const std::byte> bytes, const std::string& name,
                          int64_t max_pixels, const MinimumSize& minimum) {
  const EncodedImage source{bytes, name, max_pixels, minimum};
  switch (format_of(source)) {
    case Format::png:
      return decode_png(source);
    case Format::jpeg:
      return decode_jpeg(source);
    default:
      return decode_webp(source);
  }
}

ImageSize image_size(const std::filesystem::path& path, int64_t max_pixels) {
  std::vector<std::byte> beginning(size_t{64} << 10);
  beginning.resize(InputFile(path, ErrorKind::data).read(beginning));
  const EncodedImage source{beginning, path.string(), max_pixels, {}};
  if (format_of(source) == Format::jpeg) {
    try {
      return jpeg_size(source);
    } catch (const Error&) {
      // The pixels may begin later, behind a thumbnail: all of the file tells.
    }
  }
  const FileBytes file = read_encoded(path, max_pixels);
  return encoded_size({file.bytes, path.string(), max_pixels, {}});
}

MinimumSize exact_minimum(const ImageSize& own, const MinimumSize& minimum) {
  if (minimum == MinimumSize{}) return {};
  for (const int divisor : {8, 4, 2}) {
    const MinimumSize part{own.height / divisor, own.width / divisor};
    if (own.height % divisor == 0 && own.width % divisor == 0 && part.height >= minimum.height &&
        part.width >= minimum.width)
      return part;
  }
  return {};
}

Image decode_stored_png(const std::filesystem::path& path, int64_t max_pixels) {
  const FileBytes file = read_encoded(path, max_pixels);
  return decode_stored_png(EncodedImage{file.bytes, path.string(), max_pixels, {}});
}

AnyImage decode_any_image(const std::filesystem::path& path, int64_t max_pixels,
                          const MinimumSize& minimum) {
  const FileBytes file = read_encoded(path, max_pixels);
  return decode_any_image(file.bytes, path.string(), max_pixels, minimum);
}

Image decode_image(const std::filesystem::path& path, int64_t max_pixels,
                   const MinimumSize& minimum) {
  return to_8_bits(decode_any_image(path, max_pixels, minimum));
}

Image decode_image(std::span<const std::byte> bytes, const std::string& name, int64_t max_pixels,
                   const MinimumSize& minimum) {
  return to_8_bits(decode_any_image(bytes, name, max_pixels, minimum));
}

namespace {

/// `palette` is null unless the header's format has one.
std::string written(png_image& header, const Image& image, const void* palette) {
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(header), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, palette) ==
      0) {
    throw Error(ErrorKind::io, fmt::format("cannot encode a PNG: {}", header.message));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::string png_bytes(const Image& image, PngEffort effort) {
  check(image);
  if (effort == PngEffort::fast && fits_fast_png(image)) return fast_png_bytes(image);
  png_image header{};
  header.format = image.channels == 1   ? PNG_FORMAT_GRAY
                  : image.channels == 3 ? PNG_FORMAT_RGB
                                        : PNG_FORMAT_RGBA;
  return written(header, image, nullptr);
}

std::string palette_png_bytes(const Image& indices, std::span<const PaletteColor> palette) {
  check(indices);
  const auto largest = std::ranges::max(indices.pixels);
  if (indices.channels != 1 || palette.size() > 256 || largest >= palette.size()) {
    throw Error(ErrorKind::usage, "PNG: indices do not fit the palette")
        .with("channels", std::to_string(indices.channels))
        .with("largest", std::to_string(largest))
        .with("palette", fmt::format("{} colours", palette.size()));
  }
  png_image header{};
  header.format = PNG_FORMAT_RGB_COLORMAP;
  header.colormap_entries = static_cast<png_uint_32>(palette.size());
  return written(header, indices, palette.data());
}

void encode_png(const std::filesystem::path& path, const Image& image, PngEffort effort) {
  constexpr std::string_view others[] = {".jpg",  ".jpeg", ".webp", ".gif", ".bmp",
                                         ".tiff", ".tif",  ".svg",  ".pdf"};
  const std::string end = lower(path.extension().string());
  if (std::ranges::count(others, end) > 0) {
    throw Error(ErrorKind::usage, fmt::format("{}: pictures are written as PNG, not {}",
                                              path.string(), end.substr(1)))
        .with("try", std::filesystem::path(path).replace_extension(".png").string());
  }
  replace_file(path, png_bytes(image, effort), Flush::later);
}

}  // namespace fovea
