#include "fovea/core/spread.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "fovea/core/parallel.h"

namespace fovea {
namespace {

/// Where the members of a team belong.
struct Homes {
  cpu_set_t all;          ///< the CPUs that this process may use
  std::vector<int> cpus;  ///< one per member; empty where threads are left to the system
};

bool placed_by_user() {
  const char* bind = std::getenv("OMP_PROC_BIND");
  return (bind != nullptr && std::string_view(bind) != "false") ||
         std::getenv("GOMP_CPU_AFFINITY") != nullptr;
}

/// The first home is the CPU that the first caller is on: of two processes that begin at the same
/// time, the calling threads are on different ones.
Homes find_homes() {
  Homes homes;
  CPU_ZERO(&homes.all);
  if (placed_by_user() || sched_getaffinity(0, sizeof homes.all, &homes.all) != 0) return homes;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &homes.all)) homes.cpus.push_back(cpu);
  const auto here = std::ranges::find(homes.cpus, sched_getcpu());
  if (here != homes.cpus.end()) std::rotate(homes.cpus.begin(), here, homes.cpus.end());
  return homes;
}

const Homes& homes() {
  static const Homes found = find_homes();
  return found;
}

/// The CPU of member `number`; all CPUs for one beyond them.
cpu_set_t home_of(int number) {
  if (static_cast<size_t>(number) >= homes().cpus.size()) return homes().all;
  cpu_set_t home;
  CPU_ZERO(&home);
  CPU_SET(homes().cpus[static_cast<size_t>(number)], &home);
  return home;
}

bool stay_on(const cpu_set_t& cpus) { return sched_setaffinity(0, sizeof cpus, &cpus) == 0; }

std::atomic<bool> taken{false};  // by the one team that is spread
thread_local bool spread = false;
thread_local int staying_as = 0;  // the number of a helping thread that has been sent home

}  // namespace

SpreadTeam::SpreadTeam(bool wanted) {
  const int team = wanted ? threads() : 1;
  if (team == 1 || spread || static_cast<size_t>(team) != homes().cpus.size()) return;
  // A thread that its program has put elsewhere stays there.
  cpu_set_t now;
  CPU_ZERO(&now);
  if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &homes().all)) return;
  if (taken.exchange(true)) return;
  spread = active_ = stay_on(home_of(0));
  if (!active_) taken = false;
}

SpreadTeam::~SpreadTeam() {
  if (!active_) return;
  stay_on(homes().all);
  spread = false;
  taken = false;
}

bool team_is_spread() { return spread; }

void stay_on_cpu_of(int number) {
  if (staying_as == number) return;
  stay_on(home_of(number));
  staying_as = number;
}

}  // namespace fovea
