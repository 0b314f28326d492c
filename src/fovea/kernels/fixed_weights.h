#pragma once

#include <utility>

namespace fovea {

inline thread_local bool weights_fixed = false;

/// While it lives, kernels that are chosen on this thread run many times with the same weights:
/// to pack them costs nothing, as in inference. Otherwise they change from run to run.
class FixedWeightsScope {
 public:
  explicit FixedWeightsScope(bool fixed) : previous_(std::exchange(weights_fixed, fixed)) {}
  ~FixedWeightsScope() { weights_fixed = previous_; }
  FixedWeightsScope(const FixedWeightsScope&) = delete;
  FixedWeightsScope& operator=(const FixedWeightsScope&) = delete;

 private:
  bool previous_;
};

}  // namespace fovea
