#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fovea {

/// Element types. f64, f32, bf16, f16, i64, i32 and u8 are for computing, where 16-bit floats are
/// stored and computed with in f32; u16 is for images, the others only for storage.
enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, u16, boolean };

/// Bytes of one element.
size_t size_of(DType dtype);

/// "f64", "f32", "bf16", "f16", "i64", "i32", "i16", "i8", "u8", "u16", "bool".
std::string_view name(DType dtype);
/// All of these, in the order of the enumeration.
std::span<const std::string_view> enum_names(DType);

/// f64, f32, bf16 or f16.
bool is_float(DType dtype);

/// u8 or u16, the dtypes of images.
bool is_pixel(DType dtype);

/// The dtype in which values of `dtype` are accumulated: f32 for bf16 and f16, else `dtype` itself.
/// Vectors with one number per channel (biases, scales, shifts, statistics) and the gradients of
/// parameters have it: they are sums over a batch, or accumulate over many steps. Weights of
/// convolutions and linear layers have the values' own dtype.
DType accumulate_dtype(DType dtype);

/// One bf16: the upper half of an f32. An f32 is
/// rounded to nearest, ties to even; NaN stays NaN.
struct Bf16 {
  uint16_t bits = 0;

  Bf16() = default;
  explicit constexpr Bf16(float value) {
    const auto word = std::bit_cast<uint32_t>(value);
    const bool nan = (word & 0x7fffffffu) > 0x7f800000u;
    const uint32_t rounded = nan ? word | 0x400000u : word + 0x7fffu + ((word >> 16) & 1);
    bits = static_cast<uint16_t>(rounded >> 16);
  }
  constexpr operator float() const {  // NOLINT: implicit, nothing is lost
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

/// One f16, IEEE 754's binary16. An f32 is rounded to nearest, ties to even; from 65520 on it
/// becomes infinite. NaN stays NaN.
struct F16 {
  uint16_t bits = 0;

  F16() = default;
  explicit constexpr F16(float value)
      : bits(std::bit_cast<uint16_t>(static_cast<_Float16>(value))) {}
  constexpr operator float() const {  // NOLINT: implicit, nothing is lost
    return static_cast<float>(std::bit_cast<_Float16>(bits));
  }
};

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
constexpr DType dtype_of<Bf16>() {
  return DType::bf16;
}
template <>
constexpr DType dtype_of<F16>() {
  return DType::f16;
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
template <>
constexpr DType dtype_of<uint16_t>() {
  return DType::u16;
}

}  // namespace fovea
