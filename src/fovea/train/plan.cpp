#include "fovea/train/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/process.h"
#include "fovea/core/text.h"
#include "fovea/train/trial.h"

namespace fovea::train {
namespace {

using Clock = std::chrono::steady_clock;

double elapsed_seconds(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

size_t bytes_of(const State& state, Role role) {
  size_t bytes = 0;
  for (const std::string& name : state.names(role)) bytes += state.type(name).bytes();
  return bytes;
}

/// Bytes of the batches that a loader has in memory at once: the one in use and those ahead.
size_t loader_bytes(const Setup& setup, int64_t batch, int64_t size, int64_t workers) {
  const data::LoaderOptions defaults;
  const int64_t batches = std::min(1 + workers * defaults.prefetch, (size + batch - 1) / batch);
  return static_cast<size_t>(batches) * (setup.inputs(std::min(batch, size)).bytes() +
                                         setup.targets(std::min(batch, size)).bytes());
}

const ArenaInfo& larger(const ArenaInfo& a, const ArenaInfo& b) {
  return a.bytes < b.bytes ? b : a;
}

double flops_of(const Program& program) {
  double flops = 0;
  for (const StepInfo& step : program.steps()) flops += step.flops;
  return flops;
}

size_t without(size_t total, size_t part) { return total > part ? total - part : 0; }

/// "1.5 GiB".
std::string gibibytes(size_t bytes) {
  return format_number(std::round(static_cast<double>(bytes) / (1 << 30) * 100) / 100) + " GiB";
}

}  // namespace

Planner::Planner(const Setup& setup) : Planner(setup, std::make_shared<Learner>(setup)) {}

Planner::Planner(const Setup& setup, std::shared_ptr<Learner> learner)
    : setup_(setup), learner_(std::move(learner)) {
  const MemoryUse use = at(setup.settings.batch).memory;  // compiles: kernels are of the program
  program_ = without(resident_bytes(), use.data - static_cast<size_t>(setup.cache_bytes));
  for (const auto& [name, array] : setup.start.weights) {  // released once the net has them
    program_ = without(program_, array.bytes());
  }
  start_peak_ = peak_resident_bytes();
  smallest_ = setup.refusal(1) ? 2 : 1;
}

/// A full batch and the smaller last one are two Programs, which share packed weights.
Planner::Evaluation Planner::evaluation(int64_t images, int64_t batch) {
  const int64_t n = std::min(evaluation_batch(batch), images);
  Evaluation use;
  if (n == 0) return use;
  use.loader = loader_bytes(setup_, n, images, 1);
  for (int64_t part : {n, images % n}) {
    if (part == 0) continue;
    const ArenaInfo& arena = learner_->evaluation_program(part).arena();
    use.arena = larger(use.arena, arena);
    use.packed = std::max(use.packed, arena.derived);
  }
  return use;
}

Plan Planner::at(int64_t batch) {
  if (batch < 1) throw Error(ErrorKind::usage, "plan: a batch has at least one sample");
  const int64_t images = setup_.split.train->size(), n = std::min(batch, images);
  const Evaluation val = evaluation(setup_.split.val->size(), n);
  const Evaluation test = evaluation(setup_.sets.test->size(), n);
  ArenaInfo arena = val.arena;
  double flops = 0;
  for (size_t phase = 0; phase <= setup_.groups.changes().size(); ++phase) {
    learner_->enter(phase);
    const Program& program = learner_->program(n);
    arena = larger(arena, program.arena());
    flops = std::max(flops, flops_of(program));
  }
  learner_->enter(0);
  const State& state = learner_->state();  // with the gradients of all phases
  const size_t loader = loader_bytes(setup_, n, images, setup_.settings.workers);
  const auto held = setup_.sets.train->held_bytes() + setup_.sets.test->held_bytes();
  Plan plan{.batch = n,
            .memory = {.program = program_,
                       .data = static_cast<size_t>(held + setup_.cache_bytes),
                       .weights = bytes_of(state, Role::parameter) + bytes_of(state, Role::buffer),
                       .gradients = bytes_of(state, Role::gradient),
                       .moments = bytes_of(state, Role::moment),
                       .arena = arena.bytes,
                       .packed = val.packed,
                       .loader = loader + val.loader},
            .peak = 0,
            .arena_lower_bound = arena.lower_bound,
            .flops = flops};
  // At its end a run releases the arena, reads the best model's file, and tests it.
  const MemoryUse& use = plan.memory;
  const size_t end = use.total() - use.arena - use.packed - val.loader +
                     std::max(use.weights, test.arena.bytes + test.packed + test.loader);
  plan.peak = std::max({use.total(), end, start_peak_});
  return plan;
}

std::optional<Plan> Planner::largest(size_t limit) {
  constexpr int64_t max_batch = 1'000'000;
  const int64_t highest = std::min(setup_.split.train->size(), max_batch);
  Plan fits = at(smallest_);
  if (fits.peak > limit) return std::nullopt;
  Plan over = at(highest);
  if (over.peak <= limit) return over;
  // Memory is nearly linear in the batch size: interpolates between both ends, and bisects where
  // that fails.
  for (int turn = 0; over.batch - fits.batch > 1; ++turn) {
    const auto width = static_cast<double>(over.batch - fits.batch);
    const double share = turn % 3 == 2 ? 0.5
                                       : static_cast<double>(limit - fits.peak) /
                                             static_cast<double>(over.peak - fits.peak);
    const auto step = static_cast<int64_t>(share * width);
    const Plan plan = at(fits.batch + std::clamp<int64_t>(step, 1, over.batch - fits.batch - 1));
    (plan.peak <= limit ? fits : over) = plan;
  }
  const auto last = [&] { return setup_.split.train->size() % fits.batch; };
  while (!setup_.settings.drop_last && last() > 0 && last() < smallest_) {
    if (fits.batch == smallest_) return std::nullopt;
    fits = at(fits.batch - 1);
  }
  return fits;
}

namespace {

Speed train_for(Trial& trial, const Setup& setup, double seconds) {
  constexpr int64_t min_steps = 3, warm_up = 2;
  for (int64_t i = 0; i < warm_up; ++i) trial.train();
  Speed speed;
  const Clock::time_point start = Clock::now();
  while (speed.steps < min_steps || speed.seconds < seconds) {
    speed.images += trial.train();
    ++speed.steps;
    speed.seconds = elapsed_seconds(start);
  }
  speed.images_per_second = static_cast<double>(speed.images) / speed.seconds;
  speed.training_seconds = static_cast<double>(setup.epoch_samples()) / speed.images_per_second;
  return speed;
}

}  // namespace

Speed measure_speed(const Setup& setup, double seconds) {
  Trial trial(setup);
  Speed speed = train_for(trial, setup, seconds);
  if (const int64_t val = setup.split.val->size(); val > 0) {
    const int64_t batch = std::min(evaluation_batch(setup.settings.batch), val);
    const double once = trial.validate(batch);  // compiles and packs
    const int64_t batches = std::clamp<int64_t>(static_cast<int64_t>(seconds / 4 / once), 1, 100);
    const int64_t part = std::min(val, batch * batches);
    speed.validation_seconds =
        trial.validate(part) * static_cast<double>(val) / static_cast<double>(part);
  }
  return speed;
}

std::string check_memory(const Setup& setup, std::shared_ptr<Learner> learner) {
  const MemoryLimits limits = memory_limits();
  if (!learner) learner = std::make_shared<Learner>(setup);
  Planner planner(setup, std::move(learner));
  Plan plan = planner.at(setup.settings.batch);
  if (plan.peak <= limits.available) return "";
  if (setup.cache) {  // images are kept only in what is left
    plan.peak -= static_cast<size_t>(setup.cache_bytes);
    setup.cache->lower(static_cast<int64_t>(without(limits.available, plan.peak)));
    if (plan.peak <= limits.available) return "";
  }
  const std::string needs = "training with --batch " + std::to_string(setup.settings.batch) +
                            " takes about " + gibibytes(plan.peak) + " of memory, ";
  const std::optional<Plan> largest = planner.largest(limits.available);
  std::string advice = largest ? "--batch " + std::to_string(largest->batch) + " or less"
                               : "a smaller model or --input: even the smallest batch does not fit";
  if (!setup.settings.recompute) advice += "; or --recompute";
  // The plan may be off by a few percent, and no feasible run should be refused.
  if (static_cast<double>(plan.peak) < 1.1 * static_cast<double>(limits.total)) {
    return needs + gibibytes(limits.available) + " are free now: the system may kill it; try " +
           advice;
  }
  throw Error(ErrorKind::memory,
              fmt::format("{}this machine has {}", needs, gibibytes(limits.total)))
      .with("free now", gibibytes(limits.available))
      .with("try", advice);
}

}  // namespace fovea::train
