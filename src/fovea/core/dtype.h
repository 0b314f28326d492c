#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fovea {

/// Element types. f64, f32, i64, i32 and u8 (and bf16, with its issue) are computed with; the
/// others are only stored.
enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, boolean };

/// Bytes of one element.
size_t size_of(DType dtype);

/// "f64", "f32", "bf16", "f16", "i64", "i32", "i16", "i8", "u8", "bool".
std::string_view name(DType dtype);

/// f64, f32, bf16 or f16.
bool is_float(DType dtype);

/// The DType of a C++ element type: dtype_of<float>() is DType::f32.
template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::i16;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}

}  // namespace fovea
