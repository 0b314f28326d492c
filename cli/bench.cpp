#include "bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fovea::cli {

void Repeats::add(Command command) {
  command.count("--warmup", warmup, "Runs before measuring", 0);
  command.count("--samples", samples, "Measured runs, of which the median is reported");
}

double median_seconds(const Repeats& repeats, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  for (int64_t i = 0; i < repeats.warmup; ++i) run();
  std::vector<double> seconds;
  for (int64_t i = 0; i < repeats.samples; ++i) {
    const Clock::time_point start = Clock::now();
    run();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const size_t middle = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
}

void add_bench(Commands& commands) {
  Command group = commands.group("bench", "Measure speed");
  add_bench_net(commands, group);
  add_bench_op(commands, group);
}

}  // namespace fovea::cli
