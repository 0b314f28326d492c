#pragma once

#include <bit>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "fovea/formats/bytes.h"

namespace fovea {

/// A WAV file to be written, piece by piece, right or wrong.
struct WavBytes {
  uint16_t tag = 1;  ///< 1: PCM, 3: floats
  uint16_t channels = 1, bits = 16;
  uint32_t rate = 16000;
  std::string data = {};
  bool extensible = false;
  std::string before = {};  ///< chunks before the data

  template <std::unsigned_integral T>
  WavBytes& add(T value) {
    append_little_endian(data, value);
    return *this;
  }
  WavBytes& add_float(float value) { return add(std::bit_cast<uint32_t>(value)); }

  std::string text() const {
    std::string format;
    append_little_endian(format, extensible ? uint16_t{0xfffe} : tag);
    append_little_endian(format, channels);
    append_little_endian(format, rate);
    const int frame = channels * bits / 8;
    append_little_endian(format, rate * static_cast<uint32_t>(frame));
    append_little_endian(format, static_cast<uint16_t>(frame));
    append_little_endian(format, bits);
    if (extensible) {
      append_little_endian(format, uint16_t{22});
      append_little_endian(format, bits);
      append_little_endian(format, uint32_t{0});
      append_little_endian(format, tag);
      format += std::string("\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 14);
    }
    const std::string body = "WAVE" + chunk("fmt ", format) + before + chunk("data", data);
    return chunk("RIFF", body);
  }
  static std::string chunk(const std::string& name, const std::string& body) {
    std::string text = name;
    append_little_endian(text, static_cast<uint32_t>(body.size()));
    return text + body + (body.size() % 2 == 1 ? std::string(1, '\0') : "");
  }
};

/// A sine of 16 bits, at half of the full amplitude.
inline WavBytes tone(double hertz, double seconds, uint32_t rate = 16000) {
  WavBytes wav{.rate = rate};
  const auto frames = static_cast<int64_t>(seconds * rate);
  for (int64_t i = 0; i < frames; ++i) {
    const double angle = 2 * std::numbers::pi * hertz * static_cast<double>(i) / rate;
    wav.add(static_cast<uint16_t>(static_cast<int16_t>(std::lround(16384 * std::sin(angle)))));
  }
  return wav;
}

}  // namespace fovea
