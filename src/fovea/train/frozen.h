#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fovea/runtime/state.h"

namespace fovea::train {

/// Hashes of the arrays that a run keeps frozen, all the time or in a part of it, so that it can
/// verify that they did not change meanwhile.
class FrozenArrays {
 public:
  /// How many arrays `update` found to be newly frozen and no longer frozen.
  struct Change {
    int64_t frozen = 0, unfrozen = 0;
  };
  /// From now on the parameters and buffers of `state` that `frozen` names are frozen; those that
  /// no longer are have been verified.
  Change update(State& state, const std::function<bool(std::string_view)>& frozen);

  /// How many are or were frozen.
  int64_t count() const { return static_cast<int64_t>(arrays_.size()); }
  /// How many of them changed while they were frozen.
  int64_t changed(State& state) const;

  /// As one line, for a checkpoint, and back. Errors of the latter: model for a malformed line.
  std::string text() const;
  static FrozenArrays parse(std::string_view text);

 private:
  /// By name: the hash of the bytes, in hex, while it is frozen; then "kept" or "changed".
  std::map<std::string, std::string> arrays_;
};

}  // namespace fovea::train
