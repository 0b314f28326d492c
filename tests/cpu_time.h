#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace fovea {

/// Seconds of CPU time of this process, all threads together.
template <class Work>
double cpu_seconds(const Work& work) {
  const std::clock_t start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

/// Whether one of many measurements, in seconds, stays below a limit. What else a machine does only
/// adds, be it cold pages or a busy neighbour that halves its speed for a while: one calm moment
/// shows what the work costs.
template <class Measure>
testing::AssertionResult takes_less_than(double limit, const Measure& measure) {
  constexpr int attempts = 30;
  double least = HUGE_VAL;
  for (int i = 0; i < attempts; ++i) {
    least = std::min(least, measure());
    if (least < limit) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "takes " << least << " s at best, not less than " << limit;
}

}  // namespace fovea
