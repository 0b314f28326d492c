#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "fovea/core/array.h"
#include "fovea/core/error.h"
#include "fovea/formats/safetensors.h"
#include "fovea/images/image.h"
#include "paths.h"

namespace fovea {

/// tests/golden/images.safetensors: files, and what Pillow makes of them
/// (scripts/golden/images.py).
inline const std::map<std::string, Array>& golden() {
  static const std::map<std::string, Array> tensors = [] {
    const SafeTensors file = read_safetensors(tests_folder() + "/golden/images.safetensors");
    return std::map<std::string, Array>(file.tensors.begin(), file.tensors.end());
  }();
  return tensors;
}

inline Image golden_image(const std::string& name) {
  const Array& array = golden().at(name);
  const auto side = [&](int i) { return static_cast<int>(array.dim(i)); };
  const auto data = array.data<uint8_t>();
  return {side(0), side(1), side(2), {data.begin(), data.end()}};
}

inline std::span<const std::byte> golden_file(const std::string& name) {
  return std::as_bytes(golden().at(name).data<uint8_t>());
}

}  // namespace fovea
