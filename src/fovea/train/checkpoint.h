#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "fovea/runtime/state.h"

namespace fovea::train {

/// Everything a training run needs to continue as if it had never stopped: every parameter, buffer
/// and moment of the State, and the run's progress as strings.
///
/// Writes FOLDER/checkpoint.safetensors; the previous one stays as checkpoint.previous.safetensors,
/// so at any moment one of the two is complete. Errors: io.
void save_checkpoint(const std::filesystem::path& folder, State& state,
                     const std::map<std::string, std::string>& progress);

struct Checkpoint {
  std::map<std::string, std::string> progress;
  std::string warning;  ///< why the latest could not be read, if the previous one was read instead
};

/// Reads the latest complete checkpoint of a folder into a State that has been declared; false if
/// there is none. Errors: model when both are broken, or the latest belongs to another model or to
/// a version of Fovea that kept other arrays.
bool load_checkpoint(const std::filesystem::path& folder, State& state, Checkpoint& checkpoint);

/// The progress of the run in a folder, from its latest complete checkpoint; empty if there is
/// none. Errors: model when both are broken.
std::map<std::string, std::string> checkpoint_progress(const std::filesystem::path& folder);

}  // namespace fovea::train
