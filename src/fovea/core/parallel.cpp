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
#include <filesystem>
#include <iterator>
#include <latch>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "fovea/core/chunks.h"
#include "fovea/core/error.h"
#include "fovea/core/process.h"
#include "fovea/core/spread.h"

namespace fovea {
namespace {

/// How many chunks parallel_for makes for each thread: a thread that loses its core for a while
/// then delays the others by no more than one of them.
constexpr int64_t chunks_per_thread = 8;

thread_local bool serial = false;
thread_local bool on_openmp = false;    // the team is OpenMP's, not the pool's
thread_local int scoped_team = 0;       // 0: that of the process
std::atomic<int> requested_threads{0};  // 0: available_threads()

#ifdef FOVEA_STD_THREADS  // ThreadSanitizer does not see libgomp's barriers: only the pool
int cpus() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }
int thread_limit() { return 1024; }
bool nested() { return false; }
bool team_refused() { return false; }
int team_of(int n) { return n; }
int set_dynamic(int) { return 0; }
int set_openmp_team(int) { return 1; }
constexpr bool have_openmp = false;
void run_in_openmp(int, const std::function<void(int)>&) {}
#else
constexpr bool have_openmp = true;

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
  if (before != n) omp_set_num_threads(n);
  return before;
}

/// Runs work(number) on each thread of a team of OpenMP's, concurrently; numbers count from 0.
void run_in_openmp(int team, const std::function<void(int number)>& work) {
  const int dynamic = set_dynamic(0);
  const bool spread = team_is_spread();
#pragma omp parallel num_threads(team)
  {
    const int number = omp_get_thread_num();
    if (spread && number > 0) stay_on_cpu_of(number);
    work(number);
  }
  set_dynamic(dynamic);
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

/// The team for that many chunks.
int team_for(int64_t chunks) {
  return serial ? 1 : static_cast<int>(std::min<int64_t>(threads(), chunks));
}

void run(int64_t count, int team, const Chunks::Body& body) {
  Chunks chunks(count, team, body);
  if (on_openmp) {
    run_in_openmp(team, [&](int number) { chunks.work(number); });
  } else {
    run_in_pool(chunks);
  }
  chunks.rethrow();
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
  const int team = team_for(grains);
  if (team == 1) return body(0, n);
  const int64_t chunks = std::min(grains, chunks_per_thread * team);
  run(chunks, team, [&](int64_t i, int) {
    body(grains * i / chunks * grain, std::min(n, grains * (i + 1) / chunks * grain));
  });
}

void parallel_chunks(int64_t count, const std::function<void(int64_t, int)>& body) {
  const int team = team_for(count);
  if (team > 1) return run(count, team, body);
  const SerialScope inner;
  for (int64_t i = 0; i < count; ++i) body(i, 0);
}

TeamScope::TeamScope(int n, bool openmp) {
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
  previous_on_openmp_ = std::exchange(on_openmp, openmp && have_openmp);
  previous_openmp_ = set_openmp_team(n);
  previous_dynamic_ = set_dynamic(0);
}

TeamScope::~TeamScope() {
  scoped_team = previous_;
  on_openmp = previous_on_openmp_;
  set_openmp_team(previous_openmp_);
  set_dynamic(previous_dynamic_);
}

void on_each_thread(const std::function<void()>& work) {
  on_openmp && !serial ? run_in_openmp(threads(), [&](int) { work(); }) : work();
}

SerialScope::SerialScope() : previous_(serial), previous_openmp_(set_openmp_team(1)) {
  serial = true;
}
SerialScope::~SerialScope() {
  serial = previous_;
  set_openmp_team(previous_openmp_);
}

}  // namespace fovea
