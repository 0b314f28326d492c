#include "fovea/train/transfer.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/weight_file.h"
#include "fovea/predict/predictor.h"
#include "fovea/predict/pretrained.h"

namespace fovea::train {
namespace {

std::string hash_of(const Array& array) {
  return hex(hash({reinterpret_cast<const char*>(array.raw()), array.bytes()}));
}

std::string fingerprint(const std::vector<std::pair<std::string, Array>>& weights) {
  std::string all;
  for (const auto& [name, array] : weights) all += name + hash_of(array);
  return hex(hash(all));
}

}  // namespace

StartingPoint read_starting_point(const std::filesystem::path& path, std::string_view model,
                                  const Shape& input) {
  StartingPoint start;
  WeightFile file = read_weights(path);
  start.weights = file.tensors;
  const std::string note = file.note;
  if (is_model_file(file)) {
    start.preprocessing = to_model_file(std::move(file), path.string()).preprocessing;
  } else if (const auto match = match_pretrained(model, path.string())) {
    start.preprocessing = match->weights.preprocessing(input);
    start.note = path.string() + ": " + match->text();
  }
  if (!note.empty()) {
    start.note = path.string() + ": " + note + (start.note.empty() ? "" : "\n") + start.note;
  }
  start.fingerprint = fingerprint(start.weights);
  return start;
}

std::vector<std::string> start_from(StartingPoint& start, std::string_view name,
                                    const models::Config& config, const nn::Module& model,
                                    State& state) {
  const auto head = models::head(name, config);
  std::vector<std::pair<std::string, Array>> weights;
  std::vector<std::string> anew(head.begin(), head.end());
  const MatchedNames matched = match_names(model, start.weights);
  if (!matched.note.empty()) start.note += (start.note.empty() ? "" : "\n") + matched.note;
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

FrozenArrays::FrozenArrays(State& state, const models::Frozen& frozen) {
  if (!frozen) return;
  for (const Role role : {Role::parameter, Role::buffer}) {
    for (const std::string& name : state.names(role)) {
      if (frozen(name)) hashes_[name] = hash_of(state.get(name));
    }
  }
}

int64_t FrozenArrays::changed(State& state) const {
  return std::ranges::count_if(
      hashes_, [&](const auto& entry) { return hash_of(state.get(entry.first)) != entry.second; });
}

std::string FrozenArrays::text() const {
  std::vector<std::string> words;
  for (const auto& [name, digits] : hashes_) words.push_back(name + "=" + digits);
  return join(words, " ");
}

FrozenArrays FrozenArrays::parse(std::string_view text) {
  FrozenArrays arrays;
  if (text.empty()) return arrays;
  for (const std::string& word : split(text, ' ')) {
    const size_t equals = word.rfind('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::model, "checkpoint: \"" + word + "\" is no frozen array");
    }
    arrays.hashes_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return arrays;
}

}  // namespace fovea::train
