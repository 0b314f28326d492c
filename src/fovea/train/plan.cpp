#include "fovea/train/plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/process.h"
#include "fovea/core/text.h"
#include "fovea/train/metrics.h"

namespace fovea::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

size_t bytes_of(const State& state, Role role) {
  size_t bytes = 0;
  for (const std::string& name : state.names(role)) bytes += state.type(name).bytes();
  return bytes;
}

/// Bytes of the batches that a loader has in memory at once: in the hands of the step and ahead.
size_t loader_bytes(const Setup& setup, int64_t batch, int64_t size, int64_t workers) {
  const data::LoaderOptions defaults;
  const int64_t most = std::min(1 + workers * defaults.prefetch, (size + batch - 1) / batch);
  return static_cast<size_t>(most) * setup.images(std::min(batch, size)).bytes();
}

size_t without(size_t whole, size_t part) { return whole > part ? whole - part : 0; }

/// "1.5 GiB".
std::string gibibytes(size_t bytes) {
  return format_number(std::round(static_cast<double>(bytes) / (1 << 30) * 100) / 100) + " GiB";
}

/// Training as a run does it, but of a State of its own.
class Trial {
 public:
  explicit Trial(const Setup& setup)
      : setup_(setup), loader_(setup.split.train, setup.loader_options()) {
    nn::declare(state_, *setup.model, static_cast<uint64_t>(setup.settings.seed));
    setup.optimizer->declare(state_);
    step_ = std::make_unique<TrainStep>(*setup.model, state_, setup.step_options(false));
    inference_ = std::make_unique<Inference>(*setup.model, state_, setup.normalization());
    inference_->share(step_->memory());
    loader_.start(0);
  }

  /// Trains one batch and gives its number of images.
  int64_t train() {
    std::optional<data::Batch> batch = loader_.next();
    if (!batch) {
      loader_.start(++epoch_);
      batch = loader_.next();
    }
    const StepResult result = step_->gradient(batch->inputs, batch->targets, ++steps_);
    Metrics metrics;
    metrics.add(result.logits, batch->targets);
    const double clip = setup_.settings.clip;
    // A small rate: numbers that diverge are slower or faster than those of real training.
    setup_.optimizer->update(
        state_,
        {.lr = 1e-4,
         .gradient_scale = clip > 0 ? optim::clip_scale(optim::gradient_norm(state_), clip) : 1.0});
    return metrics.count;
  }

  /// Seconds for the first `count` images of the validation split.
  double validate(int64_t count) {
    std::vector<int64_t> first(static_cast<size_t>(count));
    std::iota(first.begin(), first.end(), int64_t{0});
    const auto part = std::make_shared<data::Subset>(setup_.split.val, std::move(first));
    const Clock::time_point start = Clock::now();
    evaluate(*inference_, part, evaluation_batch(setup_.settings.batch));
    return seconds_since(start);
  }

 private:
  const Setup& setup_;
  data::Loader loader_;
  State state_;
  std::unique_ptr<TrainStep> step_;
  std::unique_ptr<Inference> inference_;
  int64_t epoch_ = 0, steps_ = 0;
};

}  // namespace

Planner::Planner(const Setup& setup) : setup_(setup) {
  const Settings& settings = setup.settings;
  nn::declare(state_, *setup.model, static_cast<uint64_t>(settings.seed));
  setup.optimizer->declare(state_);
  inference_ = std::make_unique<Inference>(*setup.model, state_, setup.normalization());
  step_ = std::make_unique<TrainStep>(*setup.model, state_, setup.step_options(setup.unfreezes()));
  smallest_ = setup.refusal(1) ? 2 : 1;
  const MemoryUse use = at(settings.batch).memory;  // compiles: kernels are part of the program
  program_ = without(resident_bytes(), use.data);
  for (const auto& [name, array] : setup.start.weights) {  // let go once the net has them
    program_ = without(program_, array.bytes());
  }
  start_peak_ = peak_resident_bytes();
}

/// A full batch and the smaller last one are two Programs, and each keeps weights of its own.
Planner::Evaluation Planner::evaluation(int64_t images, int64_t batch) {
  const int64_t n = std::min(evaluation_batch(batch), images);
  Evaluation use;
  if (n == 0) return use;
  use.loader = loader_bytes(setup_, n, images, 1);
  for (int64_t part : {n, images % n}) {
    if (part == 0) continue;
    const ArenaInfo& arena = inference_->program(setup_.images(part)).arena();
    use.arena = std::max(use.arena, arena.bytes);
    use.packed += arena.kept;
  }
  return use;
}

Plan Planner::at(int64_t batch) {
  if (batch < 1) throw Error(ErrorKind::usage, "plan: a batch has at least one image");
  const int64_t images = setup_.split.train->size(), n = std::min(batch, images);
  const Evaluation val = evaluation(setup_.split.val->size(), n);
  const Evaluation test = evaluation(setup_.sets.test->size(), n);
  const size_t step = step_->program(setup_.images(n), setup_.labels(n)).arena().bytes;
  const size_t loader = loader_bytes(setup_, n, images, setup_.settings.workers);
  const auto held = setup_.sets.train->held_bytes() + setup_.sets.test->held_bytes();
  Plan plan{
      .batch = n,
      .memory = {.program = program_,
                 .data = static_cast<size_t>(held),
                 .weights = bytes_of(state_, Role::parameter) + bytes_of(state_, Role::buffer),
                 .gradients = bytes_of(state_, Role::gradient),
                 .moments = bytes_of(state_, Role::moment),
                 .arena = std::max(step, val.arena),
                 .packed = val.packed,
                 .loader = loader + val.loader},
      .peak = 0};
  // At its end a run lets go of the arena, reads the best model's file, and tests it.
  const MemoryUse& use = plan.memory;
  const size_t end = use.total() - use.arena - use.packed - val.loader +
                     std::max(use.weights, test.arena + test.packed + test.loader);
  plan.peak = std::max({use.total(), end, start_peak_});
  return plan;
}

std::optional<Plan> Planner::largest(size_t limit) {
  constexpr int64_t most_of_settings = 1'000'000;
  const int64_t most = std::min(setup_.split.train->size(), most_of_settings);
  Plan fits = at(smallest_);
  if (fits.peak > limit) return std::nullopt;
  Plan over = at(most);
  if (over.peak <= limit) return over;
  // Memory is close to linear in the batch, so a line through both ends says where to look; halves
  // where it does not.
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

Speed measure_speed(const Setup& setup, double seconds) {
  constexpr int64_t least_steps = 3, warm_up = 2;
  Trial trial(setup);
  for (int64_t i = 0; i < warm_up; ++i) trial.train();
  Speed speed;
  const Clock::time_point start = Clock::now();
  while (speed.steps < least_steps || speed.seconds < seconds) {
    speed.images += trial.train();
    ++speed.steps;
    speed.seconds = seconds_since(start);
  }
  speed.images_per_second = static_cast<double>(speed.images) / speed.seconds;
  speed.training_seconds = static_cast<double>(setup.epoch_images()) / speed.images_per_second;
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

std::string check_memory(const Setup& setup) {
  const MemoryLimits limits = memory_limits();
  Planner planner(setup);
  const Plan plan = planner.at(setup.settings.batch);
  if (plan.peak <= limits.now) return "";
  const std::string needs = "training with --batch " + std::to_string(setup.settings.batch) +
                            " takes about " + gibibytes(plan.peak) + " of memory, ";
  const std::optional<Plan> largest = planner.largest(limits.now);
  const std::string advice = largest
                                 ? "--batch " + std::to_string(largest->batch) + " or less"
                                 : "a smaller model or --input: not even the smallest batch fits";
  // What is planned may be off by some percent, and no run is to be refused that would do.
  if (static_cast<double>(plan.peak) < 1.1 * static_cast<double>(limits.most)) {
    return needs + gibibytes(limits.now) + " are free now: it may be ended for lack of it; try " +
           advice;
  }
  throw Error(ErrorKind::memory, needs + "this machine has " + gibibytes(limits.most))
      .with("free now", gibibytes(limits.now))
      .with("try", advice);
}

}  // namespace fovea::train
