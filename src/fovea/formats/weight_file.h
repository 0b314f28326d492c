#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/array.h"

namespace fovea {

/// Weights without the network that they are for.
struct WeightFile {
  std::vector<std::pair<std::string, Array>> tensors;
  /// What was chosen or changed while reading, for the user: "the tensors of \"state_dict\", ...";
  /// or "".
  std::string note = {};
  std::map<std::string, std::string> metadata = {};  ///< of a .safetensors file
};

/// Whether the name has a suffix of weight files: .safetensors, .pth or .pt.
bool is_weight_file(std::string_view name);

/// Reads a .safetensors file (see safetensors.h) or one that torch.save wrote (see pytorch.h),
/// recognised by its contents, not its name. Prefixes that wrappers add to every name ("module.",
/// "_orig_mod.", "state_dict.") are removed. The arrays are read-only. Errors: model; any other
/// format is named if it is recognised (see content.h).
WeightFile read_weights(const std::filesystem::path& path);

/// Writes the tensors in the format of the suffix: .safetensors (without metadata), .pth or .pt; to
/// a stream without a suffix as .safetensors. Errors: usage for another suffix, and as the formats'
/// own; io when it cannot be written.
void write_weights(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors);

}  // namespace fovea
