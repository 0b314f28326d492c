#include "fovea/formats/weight_file.h"

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/safetensors.h"

namespace fovea {

bool is_weight_file(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".pth") || name.ends_with(".pt");
}

WeightFile read_weights(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") return {read_safetensors(path).tensors, ""};
  PytorchFile file = read_pytorch(path);
  std::vector<std::string> notes;
  if (!file.within.empty()) notes.push_back("the tensors of \"" + file.within + "\"");
  if (!file.prefix.empty()) notes.push_back("names without \"" + file.prefix + "\"");
  return {std::move(file.tensors), join(notes)};
}

void write_weights(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors) {
  if (!is_weight_file(path.string())) {
    throw Error(ErrorKind::usage, path.string() + ": the suffix says no format of weights")
        .with("known", ".safetensors, .pth, .pt");
  }
  if (path.extension() == ".safetensors") {
    write_safetensors(path, {{}, tensors});
  } else {
    write_pytorch(path, tensors);
  }
}

}  // namespace fovea
