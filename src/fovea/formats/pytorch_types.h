#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "fovea/core/dtype.h"

namespace fovea {

/// A dtype of PyTorch, as its pickles name it.
struct PytorchType {
  std::string_view storage;    ///< the global of its storages; "" where they are untyped
  std::string_view name;       ///< the global of the dtype
  size_t size;                 ///< bytes of one element
  std::optional<DType> dtype;  ///< none if Fovea does not have it
};

constexpr std::array<PytorchType, 25> pytorch_types = {{
    {"torch.DoubleStorage", "torch.float64", 8, DType::f64},
    {"torch.FloatStorage", "torch.float32", 4, DType::f32},
    {"torch.BFloat16Storage", "torch.bfloat16", 2, DType::bf16},
    {"torch.HalfStorage", "torch.float16", 2, DType::f16},
    {"torch.LongStorage", "torch.int64", 8, DType::i64},
    {"torch.IntStorage", "torch.int32", 4, DType::i32},
    {"torch.ShortStorage", "torch.int16", 2, DType::i16},
    {"torch.CharStorage", "torch.int8", 1, DType::i8},
    {"torch.ByteStorage", "torch.uint8", 1, DType::u8},
    {"torch.BoolStorage", "torch.bool", 1, DType::boolean},
    {"torch.ComplexDoubleStorage", "torch.complex128", 16, {}},
    {"torch.ComplexFloatStorage", "torch.complex64", 8, {}},
    {"torch.QInt8Storage", "torch.qint8", 1, {}},
    {"torch.QUInt8Storage", "torch.quint8", 1, {}},
    {"torch.QInt32Storage", "torch.qint32", 4, {}},
    {"torch.QUInt4x2Storage", "torch.quint4x2", 1, {}},
    {"torch.QUInt2x4Storage", "torch.quint2x4", 1, {}},
    {"", "torch.complex32", 4, {}},
    {"", "torch.uint16", 2, {}},
    {"", "torch.uint32", 4, {}},
    {"", "torch.uint64", 8, {}},
    {"", "torch.float8_e4m3fn", 1, {}},
    {"", "torch.float8_e4m3fnuz", 1, {}},
    {"", "torch.float8_e5m2", 1, {}},
    {"", "torch.float8_e5m2fnuz", 1, {}},
}};

constexpr std::string_view untyped_storage = "torch.storage.UntypedStorage";

}  // namespace fovea
