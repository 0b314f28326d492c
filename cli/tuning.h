#pragma once

#include <memory>

#include "commands.h"
#include "fovea/kernels/tuning_session.h"

namespace fovea::cli {

/// --tune of commands that are not a run.
void add_tune(Command command, bool& tune);

/// Null without `tune`. To be made before anything is compiled, and to live as long as the command.
std::unique_ptr<TuningSession> begin_tuning(bool tune, Console& console);

}  // namespace fovea::cli
