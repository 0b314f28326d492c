#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fovea/kernels/tuning_session.h"
#include "fovea/train/callback.h"
#include "fovea/train/setup.h"

// --tune of a run: kernels are measured before its first step. What was chosen is in the run's
// folder, so that a resumed run computes the same bits.
namespace fovea::train {

/// Null without Settings::tune. Messages go to the callbacks.
std::unique_ptr<TuningSession> begin_tuning(const Settings& settings,
                                            const std::vector<Callback*>& callbacks);
/// Compiles, and discards, the Programs that the run will use, which measures their kernels, and
/// ends measuring.
void tune_kernels(TuningSession& session, const Setup& setup);
/// Writes tuning.txt into the run's folder. Errors: io.
void save_tuning(const TuningSession& session, const std::filesystem::path& folder);

/// The choices that the run in this folder began with; without Settings::tune those of the process.
/// Adds a note if they cannot be read: kernels are then chosen by price.
std::shared_ptr<Tuning> tuning_of_run(const Settings& settings, const std::filesystem::path& folder,
                                      std::vector<std::string>& notes);

}  // namespace fovea::train
