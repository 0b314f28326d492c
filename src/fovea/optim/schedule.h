#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"

namespace fovea::optim {

/// Where a training run is, in epochs; they may be fractional.
struct ScheduleTime {
  double epoch;   ///< now, from warmup to epochs
  double epochs;  ///< the entire run
  double warmup;  ///< the part of it in which the rate rises from 0
};

/// One row of the table of schedules.
struct ScheduleEntry {
  Choice choice;
  /// The learning rate after warm-up, as a factor of the base rate.
  std::function<double(const Arguments&, const ScheduleTime&)> factor;
};

/// The table, built-in ones first:
///   constant              the base rate
///   cosine[:FINAL]        from 1 after the warm-up down to FINAL (default 0) at the end
///                         (Loshchilov & Hutter 2017, without restarts)
///   step:EPOCHS[:GAMMA]   times GAMMA (default 0.1) every EPOCHS epochs, counted from the start
const std::vector<ScheduleEntry>& schedules();

/// Adds a schedule of your own, which --schedule and config.toml can then use by name. Not
/// thread-safe: call it before schedules are used. Errors: usage when the name is taken, or as
/// check(Choice).
void add_schedule(ScheduleEntry entry);

/// The learning rate over a training run, as a factor of the base rate.
class Schedule {
 public:
  /// Parses --schedule. In the first `warmup` epochs the factor rises linearly from 0 to 1. Errors:
  /// usage for an unknown name or bad arguments, listing the known ones, and when warmup is below 0
  /// or longer than the run.
  Schedule(std::string_view text, double epochs, double warmup = 0);

  /// The factor at `epoch` (0 at the start); after the end it keeps its last value.
  double factor(double epoch) const;

 private:
  Chosen<ScheduleEntry> chosen_;
  double epochs_, warmup_;
};

}  // namespace fovea::optim
