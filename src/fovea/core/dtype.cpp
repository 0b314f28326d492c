#include "fovea/core/dtype.h"

namespace fovea {

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

std::span<const std::string_view> enum_names(DType) {
  static constexpr std::string_view names[] = {"f64", "f32", "bf16", "f16", "i64", "i32",
                                               "i16", "i8",  "u8",   "u16", "bool"};
  return names;
}

std::string_view name(DType dtype) { return enum_names(dtype)[static_cast<size_t>(dtype)]; }

bool is_float(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

bool is_pixel(DType dtype) { return dtype == DType::u8 || dtype == DType::u16; }

DType accumulate_dtype(DType dtype) {
  return dtype == DType::bf16 || dtype == DType::f16 ? DType::f32 : dtype;
}

}  // namespace fovea
