#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "fovea/runtime/state.h"

namespace fovea::train {

/// All that a training run needs to go on as if it had not been stopped: every parameter, buffer
/// and moment of the State, and where the run is, as strings.
///
/// Writes FOLDER/checkpoint.safetensors; the one before stays as checkpoint.previous.safetensors,
/// so at every moment one of the two is whole. Errors: io.
void save_checkpoint(const std::filesystem::path& folder, State& state,
                     const std::map<std::string, std::string>& progress);

struct Checkpoint {
  std::map<std::string, std::string> progress;
  std::string warning;  ///< why the latest could not be read, when it is the one before that was
};

/// Reads the latest whole checkpoint of a folder into a State that has been declared; false when
/// there is none. Errors: model when both are broken, or the latest is of another model or of a
/// version of Fovea that kept other arrays.
bool load_checkpoint(const std::filesystem::path& folder, State& state, Checkpoint& checkpoint);

/// Where the run of a folder is, by its latest whole checkpoint; empty when there is none. Errors:
/// model when both are broken.
std::map<std::string, std::string> checkpoint_progress(const std::filesystem::path& folder);

}  // namespace fovea::train
