#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fovea/images/image.h"

namespace fovea {

/// Larger pictures are refused unless the caller allows them: 64 Mi, 67,108,864.
constexpr int64_t default_pixel_limit = int64_t{64} << 20;

/// Reads a PNG, JPEG or WebP, recognised by its first bytes, not by name. The header is checked
/// against `max_pixels` before anything is allocated.
///
/// All are turned upright as their EXIF orientation says; XMP is ignored. PNG: palettes are
/// expanded, 1 to 4 bits scaled to 8; gray (with or without
/// alpha) gives 1 channel, RGB 3, RGBA 4; colour profiles, gamma and transparent colours are
/// ignored. Truncation or damage after the pixels is ignored. JPEG: 8 bits per sample, Huffman or
/// arithmetic coding, at most 100 scans; 1 channel for gray, 3 for all else (CMYK as Adobe writes
/// it). The pixels are those of libjpeg-turbo, and so of Pillow. Defects that do not affect the
/// pixels are tolerated (stray bytes between segments, unknown revisions of JFIF); damage to the
/// pixels is an error. Memory while decoding: 1 to 4 bytes per pixel, 6 if the picture has to be
/// turned, twice that for 16 bits; progressive JPEGs take another 2 bytes per sample: at most 12
/// bytes per pixel.
///
/// WebP: lossy or lossless; 4 channels if it has alpha, else 3; an animation is an error.
///
/// A JPEG is decoded at a half, a quarter or an eighth of its size, where both sides of the result
/// are at least `minimum`: much faster, and as good for what is resized to that.
///
/// `decode_any_image` gives a PNG of 16 bits as it is, `decode_image` its upper 8 bits.
///
/// Errors: data when the file is missing, in another format, too large, truncated or damaged; each
/// names the file, and the offset where it is known.
Image decode_image(const std::filesystem::path& path, int64_t max_pixels = default_pixel_limit,
                   const MinimumSize& minimum = {});

/// The same from memory; `name` stands for the file in messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   int64_t max_pixels = default_pixel_limit, const MinimumSize& minimum = {});

AnyImage decode_any_image(const std::filesystem::path& path,
                          int64_t max_pixels = default_pixel_limit,
                          const MinimumSize& minimum = {});
AnyImage decode_any_image(std::span<const std::byte> bytes, const std::string& name,
                          int64_t max_pixels = default_pixel_limit,
                          const MinimumSize& minimum = {});

/// A PNG of 1 to 8 bits as its file stores it, where the values mean something: 1 channel with the
/// indices of a palette or grey levels that are not scaled (0 and 1 of 1 bit), 3 for colours; alpha
/// is dropped. Errors: as decode_image; data when it is not a PNG or has 16 bits.
Image decode_stored_png(const std::filesystem::path& path,
                        int64_t max_pixels = default_pixel_limit);

/// The size of an image as decode_image gives it, without decoding it; of a JPEG only the beginning
/// is read. Errors: as decode_image, but for damage to the pixels.
struct ImageSize {
  int height = 0, width = 0;

  bool operator==(const ImageSize&) const = default;
};
ImageSize image_size(const std::filesystem::path& path, int64_t max_pixels = default_pixel_limit);

/// The smallest size, at least `minimum`, at which a picture of size `own` is exactly an eighth, a
/// quarter or half as large, so that places in it are those of the picture divided by an integer;
/// no minimum if there is none. Of such a picture decode_image gives that size.
MinimumSize exact_minimum(const ImageSize& own, const MinimumSize& minimum);

/// Whether a file that begins with these bytes is a PNG of 16 bits per sample: the first
/// `png_depth_end` tell.
bool is_16_bit_png(std::span<const std::byte> beginning);
constexpr size_t png_depth_end = 25;

/// R, G, B.
using PaletteColor = std::array<uint8_t, 3>;
/// The indices of a palette of 1 to 256 colours, as a PNG with that palette. Errors: usage when
/// the image is malformed, has more than 1 channel, or an index beyond the palette.
std::string palette_png_bytes(const Image& indices, std::span<const PaletteColor> palette);

/// Whether a PNG is to be small, or written several times faster and somewhat larger: for many
/// pictures at once.
enum class PngEffort { small, fast };

/// Writes `image` as an 8-bit PNG (gray, RGB or RGBA); a crash leaves the old file or the new one
/// (see Flush::later), and equal images give equal files. Errors: usage when the image is
/// malformed, or the file's name ends like that of another format; io when it cannot be written.
void encode_png(const std::filesystem::path& path, const Image& image,
                PngEffort effort = PngEffort::small);
/// The same bytes in memory. Errors: usage when the image is malformed.
std::string png_bytes(const Image& image, PngEffort effort = PngEffort::small);

}  // namespace fovea
