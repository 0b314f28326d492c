#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"

namespace fovea::optim {

/// Where a training run is, in epochs; they may be fractional.
struct ScheduleTime {
  double epoch;     ///< now, from warmup to epochs
  double epochs;    ///< the entire run
  double warmup;    ///< the part of it in which the rate rises from 0
  double step = 0;  ///< the length of one update; 0: not known
  /// The monitored metric after each epoch so far, the sign such that larger is better.
  std::span<const double> scores = {};
};

/// One row of the table of schedules.
struct ScheduleEntry {
  Choice choice;
  /// The learning rate after warm-up, as a factor of the base rate.
  std::function<double(const Arguments&, const ScheduleTime&)> factor;
  bool warms_up = false;  ///< it begins with a rise of its own
  bool scored = false;    ///< it depends on the scores
};

/// The table, built-in ones first:
///   constant
///       the base rate
///   cosine[:FINAL]
///       from 1 after the warm-up down to FINAL (default 0) at the end (Loshchilov & Hutter 2017,
///       without restarts)
///   linear[:FINAL]
///       the same along a line
///   polynomial[:POWER[:FINAL]]
///       the same along the power POWER (default 2) of the share of the run that is left
///   step:EPOCHS[:GAMMA]
///       times GAMMA (default 0.1) every EPOCHS epochs, counted from the start
///   onecycle[:PEAK[:DIV[:FINAL_DIV]]]
///       PyTorch's OneCycleLR: along cosines from 1 / DIV up to 1 at PEAK of the run, then down to
///       1 / (DIV FINAL_DIV); defaults 0.3, 25, 1e4
///   triangle[:START[:PEAK[:FINAL]]]
///       along lines from START up to 1 at PEAK of the run, then down to FINAL; defaults 0, 0.25, 0
///   plateau[:FACTOR[:PATIENCE[:THRESHOLD[:MINIMUM]]]]
///       PyTorch's ReduceLROnPlateau: times FACTOR when the monitored metric has not improved for
///       more than PATIENCE epochs, down to MINIMUM; defaults 0.1, 10, 1e-4, 0
const std::vector<ScheduleEntry>& schedules();

/// The row that a text chooses. Errors: usage for an unknown name, listing the known ones.
const ScheduleEntry& find_schedule(std::string_view text);

/// Adds a schedule of your own, which --schedule and config.toml can then use by name. Not
/// thread-safe: call it before schedules are used. Errors: usage when the name is taken, or as
/// check(Choice).
void add_schedule(ScheduleEntry entry);

/// The learning rate over a training run, as a factor of the base rate.
class Schedule {
 public:
  /// Parses --schedule. In the first `warmup` epochs the factor rises linearly from 0 to 1. `step`
  /// is the length of one update in epochs: exact only with it is onecycle, whose last rate is that
  /// of the last update.
  ///
  /// Any schedule also takes `per=epoch`: all updates of an epoch have the rate of its start. A
  /// warm-up of W epochs then begins at 1 / (W + 1).
  ///
  /// Errors: usage for an unknown name or bad arguments, listing the known ones, and when warmup is
  /// below 0, longer than the run, or given for a schedule that begins with a rise of its own.
  Schedule(std::string_view text, double epochs, double warmup = 0, double step = 0);

  /// The factor at `epoch` (0 at the start); after the end it keeps its last value. `scores` as in
  /// ScheduleTime, of the epochs before.
  double factor(double epoch, std::span<const double> scores = {}) const;

 private:
  Chosen<ScheduleEntry> chosen_;
  double epochs_, warmup_, step_;
  bool per_epoch_;
};

}  // namespace fovea::optim
