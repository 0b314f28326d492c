#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fovea/images/image.h"

namespace fovea {

/// Pictures of more pixels are refused unless the caller allows them: 64 Mi, 67,108,864.
constexpr int64_t default_pixel_limit = int64_t{64} << 20;

/// Reads a PNG or JPEG, told apart by their first bytes, not by name. The header is checked against
/// `max_pixels` before anything is allocated.
///
/// Both are turned upright by the orientation in their EXIF data; XMP is ignored.
/// PNG: palettes are expanded, 1 to 4 bits scaled to 8, 16 bits cut to their upper 8; gray (with or
/// without alpha) gives 1 channel, RGB 3, RGBA 4; colour profiles, gamma and transparent colours
/// are ignored. A file that ends, or is damaged, after its pixels is decoded.
/// JPEG: 8 bits a sample, Huffman or arithmetic coding, at most 100 scans; 1 channel for gray, 3
/// for all else (CMYK as Adobe writes it). The pixels are libjpeg-turbo's, as Pillow's are. What
/// its author did wrong without harm to the pixels is read (stray bytes between segments, unknown
/// revisions of JFIF); any damage of the pixels is an error.
/// Memory while decoding: 1 to 4 bytes a pixel for the picture; 6 where it has to be turned; and
/// for a JPEG in several scans (progressive) 2 bytes a sample besides: 12 bytes a pixel at most.
///
/// Errors: data when the file is missing, of another format, too large, truncated or damaged; each
/// names the file, and the offset where it is known.
Image decode_image(const std::filesystem::path& path, int64_t max_pixels = default_pixel_limit);

/// The same from memory; `name` stands for the file in messages.
Image decode_image(std::span<const std::byte> bytes, const std::string& name,
                   int64_t max_pixels = default_pixel_limit);

/// Writes `image` as an 8-bit PNG (gray, RGB or RGBA); a crash leaves the old file or the new one,
/// and equal images give equal files. Errors: usage when the image is malformed, io when it cannot
/// be written.
void encode_png(const std::filesystem::path& path, const Image& image);

}  // namespace fovea
