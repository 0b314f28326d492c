#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "fovea/train/experiment.h"

namespace fovea::train {

struct RangeOptions {
  double from = 1e-6, to = 10;  ///< learning rates, of the run's optimiser
  int64_t steps = 100;
  /// The weight of the losses before in the smoothed loss, 0 to below 1.
  double smoothing = 0.9;
  std::function<void(int64_t done, int64_t all)> progress = nullptr;
  std::stop_token stop = {};
};

struct RangePoint {
  double lr = 0, loss = 0, smoothed = 0;  ///< before the update at this rate
};

/// The result of a range test.
struct LrRange {
  std::vector<RangePoint> curve;
  /// The rate at which the smoothed loss falls most steeply, at most a third of that at which it is
  /// lowest; none if the loss did not fall.
  std::optional<double> suggested;
  /// The rate at which the loss exploded and the test ended; none if it did not.
  std::optional<double> diverged;
};

/// Smith's range test (2015): trains on batch after batch while the learning rate grows from `from`
/// to `to`, by the same factor each step, and ends early when the smoothed loss is over four times
/// its minimum or not finite. The experiment is reset before and afterwards: weights, buffers and
/// moments are as they were, to the bit. Errors: usage unless 0 < from < to and steps is at least
/// 10.
LrRange lr_range(Experiment& experiment, const RangeOptions& options = {});

}  // namespace fovea::train
