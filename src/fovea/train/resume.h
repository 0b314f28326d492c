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

/// A run to be resumed: the contents of its folder, with changed settings applied.
struct Resumption {
  std::unique_ptr<const RunLock> lock;  ///< keeps other runs out of the folder while it lives
  Settings settings;
  std::vector<std::string> notes;               ///< a line for each setting that changed
  std::map<std::string, std::string> progress;  ///< of its checkpoint; empty if there is none
  std::string index = {};                       ///< of the folders of its data: see data::open
};

/// Reads the folder of a run. Errors: data when it is not one; model when its checkpoint is broken;
/// usage for a setting that is unknown, out of range or cannot change, naming those that can, for
/// fewer epochs than the run has begun, and when another process uses the folder; io when it cannot
/// be written.
Resumption read_run(const std::filesystem::path& folder, const Changes& changes);

/// The Setup of the run as it was when it began; the file of weights that it started from is no
/// longer needed. Errors: as Setup; data when the training images are not those of the run.
Setup setup_of(const Resumption& run);

/// The entries that setup_of expects in the progress of a checkpoint.
std::map<std::string, std::string> origin(const Setup& setup, const std::string& fingerprint);

}  // namespace fovea::train
