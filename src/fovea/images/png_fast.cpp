#include <zlib.h>

#include "fovea/core/error.h"
#include "fovea/images/codec.h"
#include "fovea/images/decoders.h"

// A PNG written for speed: each sample less its left neighbour, then runs and Huffman codes only,
// without zlib's search for longer repetitions, which photos do not have.

namespace fovea {
namespace {

void append_number(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

void append_chunk(std::string& out, const std::string& type, const std::string& data) {
  append_number(out, static_cast<uint32_t>(data.size()));
  const std::string body = type + data;
  out += body;
  append_number(out, static_cast<uint32_t>(
                         crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size())));
}

/// The rows as PNG filters them: a 1, and the differences along the row.
std::string filtered(const Image& image) {
  const auto channels = static_cast<size_t>(image.channels);
  const size_t row = static_cast<size_t>(image.width) * channels;
  std::string bytes;
  bytes.reserve((row + 1) * static_cast<size_t>(image.height));
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* from = image.at(y, 0);
    bytes += '\1';
    for (size_t x = 0; x < row; ++x)
      bytes += static_cast<char>(from[x] - (x < channels ? 0 : from[x - channels]));
  }
  return bytes;
}

std::string compressed(const std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 1, Z_DEFLATED, 15, 9, Z_RLE) != Z_OK)
    throw Error(ErrorKind::memory, "not enough memory to encode a PNG");
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int end = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  require(end == Z_STREAM_END, "zlib needed more room than it said");
  return out;
}

}  // namespace

bool fits_fast_png(const Image& image) {
  return image.pixels.size() + static_cast<size_t>(image.height) < size_t{1} << 30;
}

std::string fast_png_bytes(const Image& image) {
  std::string header;
  append_number(header, static_cast<uint32_t>(image.width));
  append_number(header, static_cast<uint32_t>(image.height));
  header += '\10';  // bits per sample
  header += image.channels == 1 ? '\0' : image.channels == 3 ? '\2' : '\6';
  header.append(3, '\0');
  std::string out = "\x89PNG\r\n\x1a\n";
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", compressed(filtered(image)));
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace fovea
