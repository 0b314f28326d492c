#pragma once

#include <string>

#include "console.h"
#include "fovea/records/recorder.h"

namespace fovea::cli {

/// The command line of this process, for a shell; "" where the system does not say.
std::string command_line();

}  // namespace fovea::cli
