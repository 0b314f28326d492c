// How long a cache line takes from one CPU to another and back. Hosts may move the CPUs of a
// virtual machine; what one thread has written then takes longer to reach another, if their CPUs
// share no cache.
//
//   c++ -O2 -pthread bench/round_trip.cpp -o round_trip && ./round_trip [CPU CPU]
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

alignas(64) std::atomic<int> turn{0};

/// Restricts the calling thread to a CPU; whether that worked.
bool stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

/// Waits for `from`, then sets the turn to `to`.
void answer(int from, int to) {
  while (turn.load(std::memory_order_acquire) != from) continue;
  turn.store(to, std::memory_order_release);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int rounds = 100'000, repeats = 5;
  const int first = argc == 3 ? std::atoi(argv[1]) : 0, second = argc == 3 ? std::atoi(argv[2]) : 1;
  if (first == second || !stay_on(second) || !stay_on(first)) {
    std::fprintf(stderr, "round_trip: CPUs %d and %d cannot both be used\n", first, second);
    return 2;
  }
  std::thread other([&] {
    stay_on(second);
    for (int i = 0; i < rounds * repeats; ++i) answer(2 * i + 1, 2 * i + 2);
  });
  double best = 1e9;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = repeat * rounds; i < (repeat + 1) * rounds; ++i) answer(2 * i, 2 * i + 1);
    while (turn.load(std::memory_order_acquire) != 2 * (repeat + 1) * rounds) continue;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count() / rounds);
  }
  other.join();
  std::printf("%.0f ns\n", 1e9 * best);
  return 0;
}
