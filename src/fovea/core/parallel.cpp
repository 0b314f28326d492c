#include "fovea/core/parallel.h"

#ifndef FOVEA_STD_THREADS
#include <omp.h>
#endif
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fovea/core/error.h"

namespace fovea {
namespace {

thread_local bool serial = false;
thread_local int scoped_team = 0;  // 0: the process's
std::atomic<int> team_size{0};

/// CPUs the control group grants, or a large number without a limit.
int quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string limit;
  double period = 0;
  if (!(file >> limit >> period) || limit == "max" || period <= 0) return 1024;
  return std::max(1, static_cast<int>(std::ceil(std::strtod(limit.c_str(), nullptr) / period)));
}

/// Runs work(i) for i in [0, team) at once, each on its own thread; i = 0 on the calling one.
void run_team(int team, const std::function<void(int)>& work) {
#ifdef FOVEA_STD_THREADS  // ThreadSanitizer does not see libgomp's barriers
  std::vector<std::jthread> others;
  for (int i = 1; i < team; ++i) others.emplace_back([&work, i] { work(i); });
  work(0);
#else
#pragma omp parallel for num_threads(team) schedule(static, 1)
  for (int i = 0; i < team; ++i) work(i);
#endif
}

}  // namespace

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = std::max(1, CPU_COUNT(&set));
  return std::min(cpus, quota());
}

void set_threads(int n) {
  if (n < 1 || n > 1024) {
    throw Error(ErrorKind::usage, "threads: " + std::to_string(n) + " is not in 1..1024");
  }
  team_size = n;
}

int threads() {
  if (scoped_team != 0) return scoped_team;
  int n = team_size;
  if (n == 0) {
    n = available_threads();
    team_size = n;
  }
  return n;
}

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t grains = (n + grain - 1) / grain;
  const int team = serial ? 1 : static_cast<int>(std::min<int64_t>(threads(), grains));
  if (team == 1) return body(0, n);

  std::exception_ptr failure;
  std::mutex guard;
  run_team(team, [&](int i) {
    const int64_t begin = grains * i / team * grain;
    const int64_t end = std::min(n, grains * (i + 1) / team * grain);
    SerialScope inner;
    try {
      body(begin, end);
    } catch (...) {
      std::lock_guard lock(guard);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

TeamScope::TeamScope(int n) : previous_(std::exchange(scoped_team, n)), previous_openmp_(1) {
#ifndef FOVEA_STD_THREADS
  previous_openmp_ = omp_get_max_threads();
  omp_set_num_threads(n);
#endif
}

TeamScope::~TeamScope() {
  scoped_team = previous_;
#ifndef FOVEA_STD_THREADS
  omp_set_num_threads(previous_openmp_);
#endif
}

void on_each_thread(const std::function<void()>& work) {
  run_team(serial ? 1 : threads(), [&](int) { work(); });
}

SerialScope::SerialScope() : previous_(serial) { serial = true; }
SerialScope::~SerialScope() { serial = previous_; }

}  // namespace fovea
