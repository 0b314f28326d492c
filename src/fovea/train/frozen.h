#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "fovea/models/freeze.h"
#include "fovea/runtime/state.h"

namespace fovea::train {

/// Hashes of the arrays that a run keeps frozen, taken when it began, so that it can verify that
/// they did not change.
class FrozenArrays {
 public:
  FrozenArrays() = default;
  /// The parameters and buffers of `state` that `frozen` names.
  FrozenArrays(State& state, const models::Frozen& frozen);

  int64_t count() const { return static_cast<int64_t>(hashes_.size()); }
  /// How many have changed.
  int64_t changed(State& state) const;

  /// As one line, for a checkpoint, and back. Errors of the latter: model for a malformed line.
  std::string text() const;
  static FrozenArrays parse(std::string_view text);

 private:
  std::map<std::string, std::string> hashes_;  ///< of the bytes, in hex, by name
};

}  // namespace fovea::train
