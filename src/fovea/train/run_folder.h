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
/// system releases with the process, however that ends. On a file system without locks it does
/// nothing.
class RunLock {
 public:
  /// Errors: usage when another run uses the folder, naming its process; io when it cannot be
  /// written.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

/// Whether a process holds the lock of a folder: a run is training there.
bool is_training(const std::filesystem::path& folder);

struct RunFolder {
  std::filesystem::path path;
  std::unique_ptr<const RunLock> lock;
};

/// Creates the folder of a new run: `out`, or by default the first free one of runs/MODEL-DATA-001,
/// -002, ... in the current folder; writes config.toml into it, and the net's text for a model in
/// TOML. Errors: usage when `out` is not empty or another run uses it; io when it cannot be created
/// or written.
RunFolder make_run_folder(const std::string& out, const Settings& settings);

/// The text of the newest index of folders (see data::FolderIndex) of the data set `data`, as
/// --data names it, among the runs beside that of --out `out`; "" if there is none.
std::string known_index(const std::filesystem::path& out, std::string_view data);

/// The text of such a file; "" if there is none. One that cannot be read gives a text that no index
/// accepts.
std::string read_index(const std::filesystem::path& file);

/// What --save-every says.
struct SaveEvery {
  /// "N" or "Nm"; "" for the defaults. Errors: usage.
  explicit SaveEvery(std::string_view text);

  int64_t epochs = 0;    ///< the model of each such epoch is kept in a file of its own; 0: none
  double seconds = 300;  ///< of training between checkpoints inside an epoch
};

/// The model of an epoch: "epoch-0005.safetensors".
std::string epoch_file(int64_t epoch);
/// Removes the files of epochs but for the latest `keep`. Errors: io.
void remove_epoch_files(const std::filesystem::path& folder, int64_t keep);

/// Appends a line to log.txt. A line that cannot be written (the disk is full) is dropped: the log
/// only repeats messages, and is no reason to end a run.
void append_log(const std::filesystem::path& folder, std::string_view line);

}  // namespace fovea::train
