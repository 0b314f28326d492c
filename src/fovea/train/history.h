#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/tasks/metric.h"

namespace fovea::train {

/// The results of one epoch.
struct EpochRecord {
  int64_t epoch = 0;  ///< from 1
  double lr = 0;      ///< of its last step
  /// "train_loss", "train_accuracy", ... over the training batches, each with the weights of its
  /// step; "val_loss", "val_accuracy", ... of the validation split, none with --val 0; and numbers
  /// added by callbacks.
  tasks::Numbers numbers = {};
  double seconds = 0, images_per_second = 0;  ///< of training, without validation
  double waiting = 0;                         ///< share of `seconds` in which no batch was ready
};

/// history.csv: a header (epoch, lr, the numbers' names, seconds, images_per_second, waiting) and a
/// line per epoch; a number that an epoch does not have is an empty cell. Numbers are read back
/// exactly.
std::string to_csv(const std::vector<EpochRecord>& history);
/// Errors: data, naming the line.
std::vector<EpochRecord> from_csv(std::string_view text);

}  // namespace fovea::train
