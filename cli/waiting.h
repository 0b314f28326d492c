#pragma once

namespace fovea::cli {

/// Lets threads that wait for their team sleep after some microseconds. OpenMP's own choice is to
/// spin for milliseconds; where another program uses a core, the thread that is waited for then
/// cannot run, and a step takes several times as long. The OpenMP library reads this before main,
/// so the program starts itself once more (same process, same arguments); a user's OMP_WAIT_POLICY
/// or GOMP_SPINCOUNT is left alone.
void let_waiting_threads_sleep(char** argv);

}  // namespace fovea::cli
