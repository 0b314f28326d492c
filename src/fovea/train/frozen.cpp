#include "fovea/train/frozen.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"

namespace fovea::train {
namespace {

std::string hash_of(const Array& array) {
  return hex(hash({reinterpret_cast<const char*>(array.raw()), array.bytes()}));
}

}  // namespace

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
      throw Error(ErrorKind::model, "checkpoint: \"" + word + "\" is not a frozen array");
    }
    arrays.hashes_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return arrays;
}

}  // namespace fovea::train
