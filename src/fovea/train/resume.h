#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fovea/train/run_folder.h"
#include "fovea/train/setup.h"

namespace fovea::train {

/// Settings by name, "epochs", and their new values as text.
using Changes = std::vector<std::pair<std::string, std::string>>;

/// A run that goes on: what its folder says, with the settings that are to change.
struct Resumption {
  std::unique_ptr<const RunLock> lock;  ///< the folder is this run's alone while it lives
  Settings settings;
  std::vector<std::string> notes;               ///< a line for each setting that changed
  std::map<std::string, std::string> progress;  ///< of its checkpoint; empty where there is none
};

/// Reads the folder of a run. Errors: data when it is none; model when its checkpoint is broken;
/// usage for a setting that is unknown, out of range or cannot change, naming those that can, for
/// fewer epochs than the run has begun, and when another process has the folder; io when it cannot
/// be written.
Resumption read_run(const std::filesystem::path& folder, const Changes& changes);

/// What the settings stand for, as it was when the run began: a net that started from other weights
/// needs their file no more. Errors: as Setup; data when the training images are not those of the
/// run.
Setup setup_of(const Resumption& run);

/// What setup_of wants to find in the progress of a checkpoint.
std::map<std::string, std::string> origin(const Setup& setup, const std::string& fingerprint);

}  // namespace fovea::train
