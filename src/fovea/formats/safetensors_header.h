#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

constexpr size_t largest_safetensors_header = 100'000'000;

/// One tensor as the header describes it; offsets count from the end of the header.
struct TensorEntry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;
};

struct SafeTensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;
};

/// Parses the JSON of a header; `file` stands for the file in messages. The offsets are not yet
/// checked against the file. Errors: model.
SafeTensorsHeader parse_safetensors_header(std::string_view json, const std::string& file);

/// "F32", "BOOL", ...: the format's name for `dtype`.
std::string_view safetensors_name(DType dtype);

}  // namespace fovea
