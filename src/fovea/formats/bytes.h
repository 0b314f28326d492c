#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// The number in the first sizeof(T) of `bytes`, least significant byte first.
template <std::unsigned_integral T>
T little_endian(std::span<const std::byte> bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(std::to_integer<T>(bytes[i]) << (8 * i));
  }
  return value;
}

/// Appends a number in the form that `little_endian` reads.
template <std::unsigned_integral T>
void append_little_endian(std::string& to, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) to += static_cast<char>(value >> (8 * i));
}

/// Whether the bytes are text in UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

}  // namespace fovea
