#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/array.h"

namespace fovea {

/// Weights without the network they are for.
struct WeightFile {
  std::vector<std::pair<std::string, Array>> tensors;
  /// What was chosen or changed while reading, for people: "the tensors of \"state_dict\", ..."; or
  /// "".
  std::string note = {};
  std::map<std::string, std::string> metadata = {};  ///< that of a .safetensors file
};

/// Whether the name ends as files of weights do: .safetensors, .pth or .pt.
bool is_weight_file(std::string_view name);

/// Reads a .safetensors file (see safetensors.h) or one that torch.save wrote (see pytorch.h), told
/// apart by their contents, whatever their names end in. What wrappers put before every name
/// ("module.", "_orig_mod.", "state_dict.") is taken off. The arrays are for reading only. Errors:
/// model; what is neither format is named for what it is (see content.h).
WeightFile read_weights(const std::filesystem::path& path);

/// Writes the tensors in the format that the suffix says: .safetensors (without metadata), .pth or
/// .pt; to a stream without one of them as .safetensors. Errors: usage for another suffix, and as
/// the formats' own; io when it cannot be written.
void write_weights(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors);

}  // namespace fovea
