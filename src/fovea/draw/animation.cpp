#include "fovea/draw/animation.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/images/codec.h"

namespace fovea::draw {
namespace {

constexpr size_t signature_bytes = 8, chunk_overhead = 12;

void append_big(std::string& out, uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

uint32_t big32(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  const std::string body = std::string(type).append(data);
  append_big(out, static_cast<uint32_t>(data.size()), 4);
  out += body;
  append_big(
      out,
      static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size())),
      4);
}

/// Calls visit(type, data) for each chunk of a PNG that this program wrote.
template <class Visit>
void for_each_chunk(std::string_view png, const Visit& visit) {
  for (size_t at = signature_bytes; at + chunk_overhead <= png.size();) {
    const uint32_t size = big32(png.substr(at));
    visit(png.substr(at + 4, 4), png.substr(at + 8, size));
    at += chunk_overhead + size;
  }
}

}  // namespace

std::string animated_png(std::span<const Image> frames, double seconds) {
  if (frames.empty()) throw Error(ErrorKind::usage, "animated_png: there is no frame");
  for (const Image& frame : frames) {
    check(frame);
    if (frame.height == frames[0].height && frame.width == frames[0].width &&
        frame.channels == frames[0].channels)
      continue;
    throw Error(ErrorKind::usage, "animated_png: all frames must have one size");
  }
  const auto hundredths = static_cast<uint32_t>(std::clamp(std::lround(seconds * 100), 1L, 20000L));
  std::string out;
  uint32_t sequence = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    const std::string png = png_bytes(frames[i]);
    if (i == 0) out = png.substr(0, signature_bytes);
    bool first_data = true;
    for_each_chunk(png, [&](std::string_view type, std::string_view data) {
      if (i == 0 && type == "IHDR") {
        append_chunk(out, type, data);
        std::string control;
        append_big(control, static_cast<uint32_t>(frames.size()), 4);
        append_big(control, 0, 4);  // repeats without end
        append_chunk(out, "acTL", control);
      }
      if (type != "IDAT") return;
      if (first_data) {
        std::string control;
        append_big(control, sequence++, 4);
        append_big(control, static_cast<uint32_t>(frames[i].width), 4);
        append_big(control, static_cast<uint32_t>(frames[i].height), 4);
        append_big(control, 0, 4);
        append_big(control, 0, 4);
        append_big(control, i + 1 == frames.size() ? 3 * hundredths : hundredths, 2);
        append_big(control, 100, 2);
        append_big(control, 0, 2);  // the next frame replaces it
        append_chunk(out, "fcTL", control);
        first_data = false;
      }
      if (i == 0) return append_chunk(out, type, data);
      std::string numbered;
      append_big(numbered, sequence++, 4);
      append_chunk(out, "fdAT", numbered.append(data));
    });
  }
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace fovea::draw
