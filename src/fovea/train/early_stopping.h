#pragma once

#include <cstdint>
#include <span>

#include "fovea/train/callback.h"

namespace fovea::train {

/// Completes a run when the monitored metric (see Trainer::scores) has stopped improving; the best
/// model is tested. What it decides follows from the history alone, so that a resumed run ends at
/// the same epoch.
///
///     train::EarlyStopping early({.patience = 5});
///     train::train(settings, out, {&early});      // --patience 5 does the same
class EarlyStopping : public Callback {
 public:
  struct Options {
    int64_t patience = 5;   ///< epochs without an improvement before the run ends
    double min_change = 0;  ///< an improvement is larger than this
  };
  explicit EarlyStopping(const Options& options) : options_(options) {}

  /// The number of epochs since the last improvement, for the scores of all epochs so far; larger
  /// is better.
  int64_t stagnant(std::span<const double> scores) const;

  void on_epoch(Trainer& trainer, EpochRecord& record, bool best) override;

 private:
  Options options_;
};

}  // namespace fovea::train
