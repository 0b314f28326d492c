#pragma once

#include <optional>

#include "fovea/optim/average.h"
#include "fovea/optim/lookahead.h"
#include "fovea/train/settings.h"

namespace fovea::train {

/// One row of the table of --average.
struct AverageEntry {
  Choice choice;
};
const std::vector<AverageEntry>& averages();

/// The averages of weights that a run keeps, those of --ema and --average:
///   swa[:START]   the mean of the weights after each epoch from START on, by default three
///                 quarters of the run (Izmailov et al. 2018)
///   lookahead[:EVERY[:DECAY[:POWER]]]
///                 see optim::Lookahead: every EVERY updates, with the decay DECAY (t / T)^POWER
///                 after t of all T updates; the run ends on the slow copy
/// An EMA and the mean of SWA are evaluated and saved instead of the weights, which go on being
/// trained.
class Averaging {
 public:
  /// Errors: usage for text that cannot be read, and for two averages to evaluate.
  explicit Averaging(const Settings& settings);

  /// Declares their arrays, which get the weights when the run begins.
  void declare(State& state) const;
  /// The weights are the initial ones.
  void begin(State& state) const;
  /// After update `done` (from 1) of all `updates`.
  void after_update(State& state, int64_t done, int64_t updates);
  /// After `epoch` epochs; a second call has no effect.
  void after_epoch(State& state, int64_t epoch);

  /// Whether an average now takes the place of the weights.
  bool averaged(State& state) const;
  /// Whether statistics of norms are not those of the averaged weights and must be measured again.
  bool needs_statistics() const { return swa_.has_value(); }
  /// Exchanges the weights and their average.
  void swap(State& state);

 private:
  struct Slow {
    optim::Lookahead lookahead;
    int64_t every = 5;
    double decay = 0.5, power = 0;
  };
  std::optional<optim::Average> ema_, swa_;
  std::optional<Slow> slow_;
  double start_ = 0;  ///< of swa_, in epochs
};

/// While it lives, the average takes the place of the weights, if there is one.
class AveragedWeights {
 public:
  AveragedWeights(Averaging& averages, State& state)
      : averages_(averages), state_(state), swapped_(averages.averaged(state)) {
    if (swapped_) averages_.swap(state_);
  }
  ~AveragedWeights() {
    if (swapped_) averages_.swap(state_);
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;
  explicit operator bool() const { return swapped_; }

 private:
  Averaging& averages_;
  State& state_;
  bool swapped_;
};

}  // namespace fovea::train
