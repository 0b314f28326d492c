#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"

namespace fovea::optim {

/// Where a training run is, in epochs; they may be fractional.
struct ScheduleTime {
  double epoch;   ///< now, from warmup to epochs
  double epochs;  ///< the whole run
  double warmup;  ///< the part of it in which the rate rises from 0
};

/// One row of the table of schedules.
struct ScheduleEntry {
  Choice choice;
  /// The learning rate after the warm-up, as a factor of the base rate.
  std::function<double(const Arguments&, const ScheduleTime&)> factor;
};

/// The table, built-in ones first:
///   constant              the base rate
///   cosine[:FINAL]        from 1 after the warm-up down to FINAL (default 0) at the end
///   (Loshchilov
///                         & Hutter 2017, without restarts)
///   step:EPOCHS[:GAMMA]   times GAMMA (default 0.1) every EPOCHS epochs, counted from the start
const std::vector<ScheduleEntry>& schedules();

/// Adds one of your own, so that --schedule and config.toml know it by its name. Not thread-safe:
/// before anything is made. Errors: usage when the name is taken, or as check(Choice).
void add_schedule(ScheduleEntry entry);

/// The learning rate over a training run, as a factor of the base rate.
class Schedule {
 public:
  /// Reads the text of --schedule. In the first `warmup` epochs the factor rises linearly from 0 to
  /// 1. Errors: usage for an unknown name or bad arguments, with what there is; when warmup is
  /// below 0 or longer than the run.
  Schedule(std::string_view text, double epochs, double warmup = 0);

  /// The factor at `epoch` (0 at the start); beyond the end it stays what it was there.
  double factor(double epoch) const;

 private:
  Chosen<ScheduleEntry> chosen_;
  double epochs_, warmup_;
};

}  // namespace fovea::optim
