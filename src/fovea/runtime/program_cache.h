#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <list>
#include <utility>

#include "fovea/runtime/program.h"

namespace fovea {

/// Programs of one computation for what tells its variants apart, a Key with ==: the types of its
/// inputs, say, of a full batch, the smaller last one, images of other sizes. Holds at most `cap`;
/// the one not used for longest goes first, so memory stays flat however many keys come.
template <class Key>
class ProgramCache {
 public:
  explicit ProgramCache(size_t cap = 8) : cap_(cap) {}

  /// The Program for this key, made by `compile` when there is none yet. Valid until the next call.
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
  std::list<std::pair<Key, Program>> programs_;  // the latest used first
};

}  // namespace fovea
