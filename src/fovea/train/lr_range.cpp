#include "fovea/train/lr_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"

namespace fovea::train {
namespace {

/// The slope of the smoothed loss over the logarithm of the rate, over a few points.
double slope(const std::vector<RangePoint>& curve, size_t i) {
  constexpr size_t reach = 3;
  const size_t a = i > reach ? i - reach : 0, b = std::min(curve.size() - 1, i + reach);
  return (curve[b].smoothed - curve[a].smoothed) / std::log(curve[b].lr / curve[a].lr);
}

std::optional<double> suggestion(const std::vector<RangePoint>& curve) {
  constexpr size_t unsettled = 5;  // points of the smoothed loss at the beginning
  if (curve.size() < 2 * unsettled) return std::nullopt;
  const auto lowest =
      std::ranges::min_element(curve.begin() + unsettled, curve.end(), {}, &RangePoint::smoothed);
  const auto end = static_cast<size_t>(lowest - curve.begin());
  if (lowest->smoothed >= 0.99 * curve[unsettled].smoothed) return std::nullopt;
  // Before the fall begins, what is steep is noise.
  const double high = curve[unsettled].smoothed;
  const double begun = high - 0.1 * (high - lowest->smoothed);
  size_t steepest = end;
  while (steepest > unsettled && curve[steepest - 1].smoothed < begun) --steepest;
  for (size_t i = steepest; i < end; ++i) {
    if (slope(curve, i) < slope(curve, steepest)) steepest = i;
  }
  return std::min(curve[steepest].lr, lowest->lr / 3);
}

}  // namespace

LrRange lr_range(Experiment& experiment, const RangeOptions& options) {
  if (!(options.from > 0 && options.from < options.to && options.steps >= 10)) {
    throw Error(ErrorKind::usage, "range test: the rates must rise, in at least 10 steps")
        .with("from", format_number(options.from))
        .with("to", format_number(options.to))
        .with("steps", std::to_string(options.steps));
  }
  constexpr double exploded = 4;
  LrRange result;
  experiment.reset();
  double average = 0, weight = 1, lowest = INFINITY;
  for (int64_t i = 0; i < options.steps && !options.stop.stop_requested(); ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(options.steps - 1);
    const double lr = options.from * std::pow(options.to / options.from, share);
    const double loss = experiment.train(experiment.next(), lr);
    weight *= options.smoothing;
    average = options.smoothing * average + (1 - options.smoothing) * loss;
    const double smoothed = average / (1 - weight);
    lowest = std::min(lowest, smoothed);
    if (!std::isfinite(smoothed) || smoothed > exploded * lowest) {
      result.diverged = lr;
      break;
    }
    result.curve.push_back({lr, loss, smoothed});
    if (options.progress) options.progress(i + 1, options.steps);
  }
  experiment.reset();
  result.suggested = suggestion(result.curve);
  return result;
}

}  // namespace fovea::train
