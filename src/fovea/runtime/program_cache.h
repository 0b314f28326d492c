#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <utility>

#include "fovea/runtime/program.h"

namespace fovea {

/// Programs of one computation by a Key with == that distinguishes its variants, for example the
/// types of its inputs: a full batch, a smaller last one, images of other sizes. Holds at most
/// `cap`: the least recently used one is evicted, so memory is bounded.
template <class Key>
class ProgramCache {
 public:
  explicit ProgramCache(size_t cap = 8) : cap_(cap) {}

  /// The Program for this key, made by `compile` if there is none yet. Valid until the next call.
  const Program& get(const Key& key, const std::function<Program()>& compile) {
    const auto found =
        std::ranges::find_if(programs_, [&](const auto& entry) { return entry.first == key; });
    if (found != programs_.end()) {
      programs_.splice(programs_.begin(), programs_, found);
    } else {
      programs_.emplace_front(key, compile());
      if (programs_.size() > cap_) programs_.pop_back();
    }
    return programs_.front().second;
  }

 private:
  size_t cap_;
  std::list<std::pair<Key, Program>> programs_;  // most recently used first
};

}  // namespace fovea
