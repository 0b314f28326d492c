#pragma once

#include <optional>

#include "fovea/data/loader.h"
#include "fovea/train/learner.h"

namespace fovea::train {

/// Training as in the run of a setup, to be measured: with arrays of its own, which are discarded.
class Trial {
 public:
  /// `setup` must outlive it; the precision is that of its settings now.
  explicit Trial(const Setup& setup);

  /// Trains one batch and returns its number of samples. Errors: as training.
  int64_t train();
  /// Seconds for the first `count` samples of the validation split.
  double validate(int64_t count);

  /// Bytes of the State's arrays, and of them and a step's arena.
  size_t state_bytes();
  size_t step_bytes();

  /// Goes on in the arena of another trial, which needs a new one if it is used before it takes
  /// this one back.
  void take_memory(Trial& other);

 private:
  const Setup& setup_;
  data::Loader loader_;
  Learner learner_;
  int64_t epoch_ = 0, steps_ = 0;
};

}  // namespace fovea::train
