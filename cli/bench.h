#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "commands.h"
#include "kernel_flags.h"

namespace fovea::cli {

/// How many runs to make before and during a measurement.
struct Repeats {
  int64_t warmup = 10, samples = 30;

  void add(Command command);
};

/// The median seconds of one run.
double median_seconds(const Repeats& repeats, const std::function<void()>& run);

/// The groups of `bench`.
void add_bench_net(Commands& commands, Command group);
void add_bench_op(Commands& commands, Command group);

}  // namespace fovea::cli
