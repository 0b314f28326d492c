#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/train/settings.h"

namespace fovea::train {

/// What one epoch gave.
struct EpochRecord {
  int64_t epoch = 0;  ///< from 1
  double lr = 0;      ///< in its last step
  double train_loss = 0, train_accuracy = 0;
  std::optional<double> val_loss, val_accuracy;  ///< none with --val 0
  double seconds = 0, images_per_second = 0;     ///< of training, validation apart
};

/// history.csv: a header and a line an epoch. Numbers read back to the same value.
std::string to_csv(const std::vector<EpochRecord>& history);
/// Errors: data, naming the line.
std::vector<EpochRecord> from_csv(std::string_view text);

/// Keeps every other run out of a folder while it lives: a lock on FOLDER/run.lock, which the
/// system drops with the process, however that ends. Where the file system knows no locks there is
/// none.
class RunLock {
 public:
  /// Errors: usage when another run has the folder, naming its process; io when it cannot be
  /// written.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

struct RunFolder {
  std::filesystem::path path;
  std::unique_ptr<const RunLock> lock;
};

/// Makes the folder of a new run: `out`, or where that is empty the first free of
/// runs/MODEL-DATA-001, -002, ... under the current folder; and writes config.toml
/// into it, and the net's text where the model is one. Errors:
/// usage when `out` holds anything already, or another run has it; io when it cannot be made or
/// written.
RunFolder make_run_folder(const std::string& out, const Settings& settings);

/// Adds a line to log.txt. Where it cannot be written (the disk is full) it is left out: the log
/// repeats what was said, and is no reason to end a run.
void append_log(const std::filesystem::path& folder, std::string_view line);

}  // namespace fovea::train
