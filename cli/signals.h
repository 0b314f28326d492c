#pragma once

#include <stop_token>

namespace fovea::cli {

/// Takes Ctrl-C and SIGTERM over from the system; once, at the start of the program, before any
/// other thread. Until `finish_first` either ends the program at once, with exit code 130 or 143.
/// Also: writing to a closed pipe, or beyond a limit on file sizes, becomes an error that can be
/// told.
void watch_signals();

/// From now on the first signal asks this token to stop; only a second one ends the program.
std::stop_token finish_first();

/// The token that `finish_first` gives, without asking for it: signals still end the program at
/// once.
std::stop_token stop_token();

/// The signal that came, or 0.
int signal_received();

}  // namespace fovea::cli
