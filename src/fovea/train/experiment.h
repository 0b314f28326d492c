#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/data/loader.h"
#include "fovea/train/learner.h"

namespace fovea::train {

/// Copies of a State's parameters, buffers and moments, to go back to them.
class SavedArrays {
 public:
  explicit SavedArrays(State& state);
  /// They are as they were, to the bit; moments that were declared since are removed.
  void restore(State& state) const;

 private:
  std::map<std::string, Array> arrays_;
};

/// A net with the weights that a run of a setup begins with, and its training batches, to try
/// things on. Nothing is written to files.
class Experiment {
 public:
  /// `setup` must outlive it; its initial weights (`setup.start`) are used up. Errors: as training.
  explicit Experiment(Setup& setup);

  const Setup& setup() const { return setup_; }
  Learner& learner() { return learner_; }
  State& state() { return learner_.state(); }
  /// Whether the weights came from a file.
  bool trained() const { return trained_; }
  /// The arrays of the head that the file did not have: they have random values.
  const std::vector<std::string>& anew() const { return anew_; }

  /// Back to the weights of the beginning, and to the first batch of the first epoch.
  void reset();
  /// The next training batch, as the run has it; after the last of an epoch the next epoch begins.
  data::Batch next();
  /// Trains one batch at this rate of the optimiser; returns its loss before the update. Nothing is
  /// updated if a gradient is not finite.
  double train(const data::Batch& batch, double lr);

 private:
  Setup& setup_;
  data::Loader loader_;
  Learner learner_;
  bool trained_;
  std::vector<std::string> anew_;
  std::optional<SavedArrays> start_;
  int64_t epoch_ = 0, steps_ = 0;
};

}  // namespace fovea::train
