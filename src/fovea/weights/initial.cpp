#include "fovea/weights/initial.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/weight_file.h"
#include "fovea/weights/fit.h"
#include "fovea/weights/pretrained.h"

namespace fovea {
namespace {

std::string fingerprint(const std::vector<std::pair<std::string, Array>>& weights) {
  std::string all;
  for (const auto& [name, array] : weights)
    all += name + hex(hash({reinterpret_cast<const char*>(array.raw()), array.bytes()}));
  return hex(hash(all));
}

}  // namespace

InitialWeights read_initial_weights(const std::filesystem::path& path, std::string_view model,
                                    const Shape& input) {
  InitialWeights initial;
  WeightFile file = read_weights(path);
  initial.weights = file.tensors;
  const std::string note = file.note;
  if (is_model_file(file)) {
    initial.preprocessing = to_model_file(std::move(file), path.string()).preprocessing;
  } else if (const auto match = match_pretrained(model, path.string())) {
    initial.preprocessing = match->weights.preprocessing(input);
    initial.note = fmt::format("{}: {}", path.string(), match->text());
  }
  if (!note.empty()) {
    initial.note = fmt::format("{}: {}{}{}", path.string(), note, initial.note.empty() ? "" : "\n",
                               initial.note);
  }
  initial.fingerprint = fingerprint(initial.weights);
  return initial;
}

std::vector<std::string> initialize(InitialWeights& initial, const models::ArrayNames& head,
                                    const nn::Module& model, State& state) {
  std::vector<std::pair<std::string, Array>> weights;
  std::vector<std::string> anew(head.begin(), head.end());
  const MatchedNames matched = match_names(model, initial.weights);
  if (!matched.note.empty()) initial.note += (initial.note.empty() ? "" : "\n") + matched.note;
  for (const auto& [array_name, array] : matched.weights) {
    if (head.contains(array_name)) {
      if (array.shape() != state.type(array_name).shape) continue;
      std::erase(anew, array_name);
    }
    weights.emplace_back(array_name, array);
  }
  for (const std::string& array_name : anew) {
    weights.emplace_back(array_name, state.get(array_name));
  }
  load_weights(model, state, weights);
  return anew;
}

}  // namespace fovea
