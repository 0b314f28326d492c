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

/// How far a run has come. With the arrays of its State, all that it needs to continue as if it had
/// never stopped; callbacks can read it.
struct Progress {
  int64_t epoch = 0;     ///< complete epochs
  int64_t batch = 0;     ///< batches done in the current epoch
  int64_t updates = 0;   ///< batches done in all epochs, including those whose update was skipped
  double lr = 0;         ///< of the last batch
  double lr_factor = 1;  ///< of the schedule's rate, set by callbacks
  double loss_sum = 0;   ///< of the current epoch, over samples
  tasks::Measures measures;               ///< of the task, in the current epoch
  int64_t seen = 0;                       ///< samples seen in the current epoch
  double epoch_seconds = 0;               ///< of training in it
  double waiting_seconds = 0;             ///< of these, until a batch was ready
  tasks::Numbers added = {};              ///< by callbacks, for the record of the current epoch
  int64_t best_epoch = 0;                 ///< by the monitored metric; 0: none yet
  std::optional<double> best_value = {};  ///< of that epoch; none without validation
  int64_t finished = 0;                   ///< 1 once a callback has ended the run
  std::vector<EpochRecord> history = {};
};

/// One field of it, as a checkpoint stores it.
struct ProgressField {
  std::string_view name;
  std::function<std::string(const Progress&)> get;
  /// Errors: model when the text is not a value of the field; data for a history.
  std::function<void(Progress&, const std::string& text)> set;
  bool newer =
      false;  ///< than the format: checkpoints without it are older, and its default counts
};

/// The one table of fields: saving, restoring and the contents of a checkpoint follow it.
const std::vector<ProgressField>& progress_fields();

/// All fields as strings, with the version that wrote them, and back into a Progress whose measures
/// have the same metrics. `strings` may hold what else the Trainer saves. Errors of the latter:
/// model for a broken field, a missing one that every checkpoint has, or one that only other
/// versions of Fovea know, naming the one that wrote it.
std::map<std::string, std::string> to_strings(const Progress& progress);
void from_strings(Progress& progress, const std::map<std::string, std::string>& strings);

}  // namespace fovea::train
