#include "fovea/formats/weight_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/content.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/safetensors.h"

namespace fovea {
namespace {

/// Removes the prefix that wrappers of an entire net add to every name; returns it.
std::string strip_wrappers(std::vector<std::pair<std::string, Array>>& tensors) {
  std::string taken;
  const auto strip = [&](std::string_view prefix) {
    const bool all = std::all_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
      return tensor.first.size() > prefix.size() && tensor.first.starts_with(prefix);
    });
    if (!all || tensors.empty()) return false;
    for (auto& [name, array] : tensors) name.erase(0, prefix.size());
    taken += prefix;
    return true;
  };
  while (strip("module.") || strip("_orig_mod.") || strip("state_dict.") ||
         strip("model_state_dict.")) {
  }
  return taken;
}

}  // namespace

bool is_weight_file(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".pth") || name.ends_with(".pt");
}

WeightFile read_weights(const std::filesystem::path& path) {
  const std::string name = path.string();
  const FileBytes bytes = read_file(path, ErrorKind::model);
  WeightFile file;
  std::vector<std::string> notes;
  if (weight_format(bytes.bytes, name) == WeightFormat::safetensors) {
    SafeTensors saved = parse_safetensors(bytes, name);
    file.tensors = std::move(saved.tensors);
    file.metadata = std::move(saved.metadata);
  } else {
    PytorchFile saved = parse_pytorch(bytes, name);
    file.tensors = std::move(saved.tensors);
    if (!saved.within.empty()) notes.push_back(fmt::format("the tensors of \"{}\"", saved.within));
  }
  const std::string prefix = strip_wrappers(file.tensors);
  if (!prefix.empty()) notes.push_back(fmt::format("names without \"{}\"", prefix));
  file.note = join(notes);
  return file;
}

void write_weights(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors) {
  const bool known = is_weight_file(path.string());
  if (!known && !is_stream(path)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: the suffix is not that of a weight format", path.string()))
        .with("known", ".safetensors, .pth, .pt");
  }
  if (!known || path.extension() == ".safetensors") {
    write_safetensors(path, {{}, tensors});
  } else {
    write_pytorch(path, tensors);
  }
}

}  // namespace fovea
