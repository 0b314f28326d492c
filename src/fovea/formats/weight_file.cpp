#include "fovea/formats/weight_file.h"

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/safetensors.h"

namespace fovea {

bool is_weight_file(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".pth") || name.ends_with(".pt");
}

WeightFile read_weights(const std::filesystem::path& path) {
  const FileBytes bytes = read_file(path, ErrorKind::model);
  if (path.extension() == ".safetensors" ||
      (!is_weight_file(path.string()) && begins_like_safetensors(bytes.bytes))) {
    SafeTensors file = parse_safetensors(bytes, path.string());
    return {.tensors = std::move(file.tensors), .metadata = std::move(file.metadata)};
  }
  PytorchFile file = parse_pytorch(bytes, path.string());
  std::vector<std::string> notes;
  if (!file.within.empty()) notes.push_back("the tensors of \"" + file.within + "\"");
  if (!file.prefix.empty()) notes.push_back("names without \"" + file.prefix + "\"");
  return {.tensors = std::move(file.tensors), .note = join(notes)};
}

void write_weights(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors) {
  const bool known = is_weight_file(path.string());
  if (!known && !is_stream(path)) {
    throw Error(ErrorKind::usage, path.string() + ": the suffix says no format of weights")
        .with("known", ".safetensors, .pth, .pt");
  }
  if (!known || path.extension() == ".safetensors") {
    write_safetensors(path, {{}, tensors});
  } else {
    write_pytorch(path, tensors);
  }
}

}  // namespace fovea
