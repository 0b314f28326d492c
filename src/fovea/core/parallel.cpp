#include "fovea/core/parallel.h"

#include <fmt/format.h>

#ifndef FOVEA_STD_THREADS
#include <omp.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iterator>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/process.h"

namespace fovea {
namespace {

thread_local bool serial = false;
thread_local int scoped_team = 0;       // 0: that of the process
std::atomic<int> requested_threads{0};  // 0: available_threads()

#ifdef FOVEA_STD_THREADS  // ThreadSanitizer does not see libgomp's barriers
int cpus() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }
int thread_limit() { return 1024; }
bool nested() { return false; }
bool team_refused() { return false; }
int team_of(int n) { return n; }
int set_dynamic(int) { return 0; }
int set_openmp_team(int) { return 1; }
#else
// Not sched_getaffinity: with OMP_PROC_BIND, OpenMP has bound this thread to one CPU.
int cpus() { return std::max(1, omp_get_num_procs()); }

int thread_limit() { return omp_get_thread_limit(); }
bool nested() { return omp_get_level() > 0; }
bool team_refused() { return omp_get_active_level() >= omp_get_max_active_levels(); }

/// The number of threads in a parallel region that asks for `n`.
int team_of(int n) {
  int count = 1;
#pragma omp parallel num_threads(n)
#pragma omp master
  count = omp_get_num_threads();
  return count;
}

/// Sets whether OpenMP may shrink teams. Returns the previous setting.
int set_dynamic(int dynamic) {
  const int before = omp_get_dynamic();
  if (before != dynamic) omp_set_dynamic(dynamic);
  return before;
}

int set_openmp_team(int n) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(n);
  return before;
}
#endif

int64_t running_threads() {
  std::error_code none;
  return std::distance(std::filesystem::directory_iterator("/proc/self/task", none), {});
}

/// How many threads can be started besides this
/// one, up to `maximum`: found by starting them.
int startable_threads(int maximum) {
  const int64_t before = running_threads();
  std::latch end(1);
  std::vector<std::jthread> started;
  try {
    for (int i = 0; i < maximum; ++i) started.emplace_back([&] { end.wait(); });
  } catch (const std::system_error&) {
    // no more can be started
  }
  const auto count = static_cast<int>(started.size());
  end.count_down();
  started.clear();
  // A finished thread still counts until the system has reaped it.
  for (int i = 0; i < 1000 && running_threads() > before; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return count;
}

int measured_team(int n) {
  const int team = 1 + startable_threads(n - 1);
  const int dynamic = set_dynamic(0);
  const int count = team_of(team);
  set_dynamic(dynamic);
  return count;
}

/// Runs work(i) for i in [0, team) concurrently, each on its own thread; i = 0 on the calling one.
void run_team(int team, const std::function<void(int)>& work) {
#ifdef FOVEA_STD_THREADS
  std::vector<std::jthread> others;
  for (int i = 1; i < team; ++i) others.emplace_back([&work, i] { work(i); });
  work(0);
#else
  const int dynamic = set_dynamic(0);
#pragma omp parallel for num_threads(team) schedule(static, 1)
  for (int i = 0; i < team; ++i) work(i);
  set_dynamic(dynamic);
#endif
}

}  // namespace

int available_threads() {
  int n = std::min(cpus(), thread_limit());
  if (const std::optional<double> quota = cpu_quota()) {
    n = std::min(n, static_cast<int>(std::ceil(std::min(*quota, 1024.0))));
  }
  return n;
}

int granted_threads(int n) {
  n = std::min(n, thread_limit());
  if (n <= 1 || team_refused()) return 1;
  if (nested()) return measured_team(n);  // depends on what the other threads of the region do
  thread_local int asked = 1, given = 1;
  if (n > asked) {
    given = measured_team(n);
    asked = n;
  }
  return std::min(n, given);
}

void set_threads(int n) {
  if (n < 1 || n > 1024) {
    throw Error(ErrorKind::usage, fmt::format("threads: {} is not between 1 and 1024", n));
  }
  requested_threads = n;
}

int threads() {
  if (scoped_team != 0) return scoped_team;
  static const int available = available_threads();
  const int requested = requested_threads;
  return granted_threads(requested != 0 ? requested : available);
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

TeamScope::TeamScope(int n) {
  if (const int given = granted_threads(n); given < n) {
    throw Error(
        ErrorKind::usage,
        fmt::format("threads: a team of {} is needed, but only {} can be started", n, given))
        .with("try",
              fmt::format(
                  "--threads {} or set_threads; or lift OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS or "
                  "the limit on processes (ulimit -u), and call from outside parallel regions",
                  given));
  }
  previous_ = std::exchange(scoped_team, n);
  previous_openmp_ = set_openmp_team(n);
  previous_dynamic_ = set_dynamic(0);
}

TeamScope::~TeamScope() {
  scoped_team = previous_;
  set_openmp_team(previous_openmp_);
  set_dynamic(previous_dynamic_);
}

void on_each_thread(const std::function<void()>& work) {
  run_team(serial ? 1 : threads(), [&](int) { work(); });
}

SerialScope::SerialScope() : previous_(serial) { serial = true; }
SerialScope::~SerialScope() { serial = previous_; }

}  // namespace fovea
