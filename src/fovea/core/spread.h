#pragma once

namespace fovea {

/// While it lives, each thread of the calling thread's team stays on a CPU of its own. The system's
/// scheduler moves threads: as soon as another program keeps a CPU busy, two of the team's often
/// share one while that program has the other to itself. Threads that stay get half of a shared CPU
/// and all of the others.
///
/// Does nothing unless the team has a thread for each CPU that the process may use (a smaller one
/// would crowd the CPUs of another process's), for a second team at the same time, where the system
/// refuses, and with OMP_PROC_BIND or GOMP_CPU_AFFINITY, which already say where threads belong.
/// The calling thread's own CPUs are restored; helping threads stay where they are.
class SpreadTeam {
 public:
  /// Not `wanted`: does nothing.
  explicit SpreadTeam(bool wanted = true);
  ~SpreadTeam();
  SpreadTeam(const SpreadTeam&) = delete;
  SpreadTeam& operator=(const SpreadTeam&) = delete;

  /// Whether the threads stay on their CPUs.
  bool active() const { return active_; }

 private:
  bool active_ = false;
};

/// Whether the calling thread's team is spread.
bool team_is_spread();

/// Keeps a helping thread on the CPU of member `number` of a spread team, counted from 1; one
/// beyond the CPUs may go to all of them. Costs nothing when the thread has that number already.
void stay_on_cpu_of(int number);

}  // namespace fovea
