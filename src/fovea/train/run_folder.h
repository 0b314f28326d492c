#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/train/settings.h"

namespace fovea::train {

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
