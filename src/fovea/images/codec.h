#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fovea/images/image.h"

namespace fovea {

/// Pictures of more pixels are refused unless the caller allows them: 64 megapixels.
constexpr int64_t default_pixel_limit = int64_t{64} << 20;

/// Reads a PNG or JPEG, told apart by their first bytes, not by name. The header is checked against
/// `most_pixels` before anything is allocated.
///
/// PNG: palettes are expanded, 1 to 4 bits scaled to 8, 16 bits cut to their upper 8; gray (with or
/// without alpha) gives 1 channel, RGB 3, RGBA 4; colour profiles, gamma and transparent colours
/// are ignored. JPEG: 1 channel for gray, 3 for all else (CMYK as Adobe writes it); turned upright
/// by its EXIF orientation.
///
/// Errors: data when the file is missing, of another format, too large, truncated or damaged; each
/// names the file, and the offset where it is known.
Image decode_image(const std::filesystem::path& path, int64_t most_pixels = default_pixel_limit);

/// The same from memory; `name` stands for the file in messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   int64_t most_pixels = default_pixel_limit);

/// Writes `image` as an 8-bit PNG (gray, RGB or RGBA); a crash leaves the old file or the new one,
/// and equal images give equal files. Errors: usage when the image is malformed, io when it cannot
/// be written.
void encode_png(const std::filesystem::path& path, const Image& image);

}  // namespace fovea
