#pragma once

#include <stop_token>

namespace fovea::cli {

/// Opens those of standard input, output and error that are closed, so that no file opened later
/// gets their numbers and with them what is printed. Reading or writing them remains an error.
void keep_standard_descriptors();

/// Handles Ctrl-C, SIGTERM and SIGHUP (the terminal is closed; unless ignored, as
/// under nohup); called once, at the start of the program, before any other thread
/// starts. Until `finish_first` any of them ends the program at once, with exit
/// code 130, 143 or 129. False if the system cannot start a thread to watch them:
/// then the system's default action ends the program. Also, writing to a closed
/// pipe or beyond a limit on file sizes becomes an error instead of a signal.
bool watch_signals();

/// From now on the first signal asks this token to stop; only a second one ends the program.
std::stop_token finish_first();

/// The token of `finish_first`, without enabling
/// it: signals still end the program at once.
std::stop_token stop_token();

/// The signal that was received, or 0.
int signal_received();

}  // namespace fovea::cli
