#pragma once

namespace fovea::cli {

/// Makes threads that wait for their team sleep after some microseconds. By default OpenMP spins
/// for milliseconds; when another program uses a core, the thread they wait for then cannot run,
/// and a step takes several times as long. The OpenMP library reads this before main, so the
/// program restarts itself (same process, same arguments); a user's OMP_WAIT_POLICY or
/// GOMP_SPINCOUNT is respected.
void let_waiting_threads_sleep(char** argv);

}  // namespace fovea::cli
