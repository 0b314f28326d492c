#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/tasks/metric.h"

namespace fovea::train {

/// What one epoch gave.
struct EpochRecord {
  int64_t epoch = 0;  ///< from 1
  double lr = 0;      ///< in its last step
  /// "train_loss", "train_accuracy", ... of the batches as the weights were then; "val_loss",
  /// "val_accuracy", ... of the validation split, none with --val 0; what callbacks added.
  tasks::Numbers numbers = {};
  double seconds = 0, images_per_second = 0;  ///< of training, validation apart
};

/// history.csv: a header (epoch, lr, the numbers' names, seconds, images_per_second) and a line an
/// epoch; a number that an epoch does not have is an empty cell. Numbers read back to the same
/// value.
std::string to_csv(const std::vector<EpochRecord>& history);
/// Errors: data, naming the line.
std::vector<EpochRecord> from_csv(std::string_view text);

}  // namespace fovea::train
