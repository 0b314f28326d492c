#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/tasks/metric.h"
#include "fovea/train/history.h"

namespace fovea::train {

/// Where a run is. With the arrays of its State it is all that a run needs to go on as if it had
/// not been stopped; callbacks see it.
struct Progress {
  int64_t epoch = 0;          ///< complete epochs
  int64_t batch = 0;          ///< batches done of the epoch under way
  int64_t updates = 0;        ///< batches done of all epochs, those whose update was skipped too
  double lr = 0;              ///< of the last batch
  double lr_factor = 1;       ///< what callbacks made of the schedule's rate
  double loss_sum = 0;        ///< of the epoch under way, over samples
  tasks::Measures measures;   ///< the task's, of the epoch under way
  int64_t seen = 0;           ///< samples of the epoch under way
  double epoch_seconds = 0;   ///< of training in it
  tasks::Numbers added = {};  ///< by callbacks, for the record of the epoch under way
  int64_t best_epoch = 0;     ///< by the monitored metric; 0: none yet
  std::optional<double> best_value = {};  ///< of that epoch; none without validation
  int64_t finished = 0;                   ///< 1 once a callback says that the run is complete
  int64_t frozen_changed = 0;             ///< frozen arrays that changed, when they were unfrozen
  std::vector<EpochRecord> history = {};
};

/// One field of it, as a checkpoint keeps it.
struct ProgressField {
  std::string_view name;
  std::function<std::string(const Progress&)> get;
  /// Errors: model when the text is no value of the field; data for a history.
  std::function<void(Progress&, const std::string& text)> set;
};

/// The one table of fields: saving, restoring and a checkpoint's contents are made from it.
const std::vector<ProgressField>& progress_fields();

/// All fields as strings, and back into a Progress whose measures are of the same metrics. Errors
/// (back): model for a field that is missing or broken.
std::map<std::string, std::string> to_strings(const Progress& progress);
void from_strings(Progress& progress, const std::map<std::string, std::string>& strings);

}  // namespace fovea::train
