#pragma once

#include <stop_token>

namespace fovea::cli {

/// Opens what is closed of standard input, output and error, so that no file opened later gets its
/// number and with it what is meant for people. Reading or writing it stays an error.
void keep_standard_descriptors();

/// Takes Ctrl-C, SIGTERM and SIGHUP (the terminal is closed; unless it is ignored, as under nohup)
/// over from the system; once, at the start of the program, before any other thread. Until
/// `finish_first` any of them ends the program at once, with exit code 130, 143 or 129. False where
/// the system starts no thread to watch them: then they end the program as the system does.
/// Also: writing to a closed pipe, or beyond a limit on file sizes, becomes an error that can be
/// told.
bool watch_signals();

/// From now on the first signal asks this token to stop; only a second one ends the program.
std::stop_token finish_first();

/// The token that `finish_first` gives, without asking for it: signals still end the program at
/// once.
std::stop_token stop_token();

/// The signal that came, or 0.
int signal_received();

}  // namespace fovea::cli
