#include "fovea/train/frozen.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/random.h"
#include "fovea/core/text.h"

namespace fovea::train {
namespace {

std::string hash_of(const Array& array) {
  return hex(hash({reinterpret_cast<const char*>(array.raw()), array.bytes()}));
}

bool is_hash(const std::string& text) { return text != "kept" && text != "changed"; }

}  // namespace

FrozenArrays::Change FrozenArrays::update(State& state,
                                          const std::function<bool(std::string_view)>& frozen) {
  Change change;
  for (const Role role : {Role::parameter, Role::buffer}) {
    for (const std::string& name : state.names(role)) {
      const auto known = arrays_.find(name);
      const bool was = known != arrays_.end() && is_hash(known->second), is = frozen(name);
      if (was == is) continue;
      const std::string hash = hash_of(state.get(name));
      const bool changed = known != arrays_.end() && known->second == "changed";
      if (is && !changed) arrays_[name] = hash;
      if (was) known->second = known->second == hash ? "kept" : "changed";
      ++(is ? change.frozen : change.unfrozen);
    }
  }
  return change;
}

int64_t FrozenArrays::changed(State& state) const {
  return std::ranges::count_if(arrays_, [&](const auto& entry) {
    const auto& [name, text] = entry;
    return text == "changed" || (is_hash(text) && hash_of(state.get(name)) != text);
  });
}

std::string FrozenArrays::text() const {
  std::vector<std::string> words;
  for (const auto& [name, digits] : arrays_) words.push_back(name + "=" + digits);
  return join(words, " ");
}

FrozenArrays FrozenArrays::parse(std::string_view text) {
  FrozenArrays arrays;
  if (text.empty()) return arrays;
  for (const std::string& word : split(text, ' ')) {
    const size_t equals = word.rfind('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::model, fmt::format("checkpoint: \"{}\" is not a frozen array", word));
    }
    arrays.arrays_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return arrays;
}

}  // namespace fovea::train
