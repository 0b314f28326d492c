#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "bench.h"
#include "bench_batch.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/process.h"
#include "fovea/core/timeline.h"
#include "fovea/formats/trace.h"
#include "fovea/formats/weight_file.h"
#include "fovea/kernels/kernel.h"
#include "fovea/optim/gradient_norm.h"
#include "fovea/optim/loss_scaler.h"
#include "fovea/optim/sgd.h"
#include "fovea/train/settings.h"
#include "fovea/train/step.h"
#include "fovea/weights/fit.h"
#include "model.h"
#include "profile.h"

namespace fovea::cli {
namespace {

struct BenchNetFlags : ModelFlags {
  Command command;
  BatchFlags own;
  int64_t batch = 64;
  std::string precision = "f32";
  Repeats repeats;
  KernelFlags kernels;
  bool profile = false, recompute = false;
  std::string trace;

  bool profiled() const { return profile || !trace.empty(); }
};

/// One training step or one inference, on one batch.
class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;
  virtual const Program& program() = 0;
  /// Of a step with the weights as they were given: another program's must be equal.
  virtual std::optional<double> first_loss() const { return std::nullopt; }
};

/// What both kinds of work have in common.
struct Subject {
  explicit Subject(const BenchNetFlags& flags)
      : chosen(choose(flags)),
        batch(bench_batch(flags.own, chosen.config, flags.batch)),
        normalization{std::vector<double>(static_cast<size_t>(chosen.config.input[0]), 0.5),
                      std::vector<double>(static_cast<size_t>(chosen.config.input[0]), 0.25)} {
    nn::declare(state, *chosen.module, 1);
    if (!flags.own.weights.empty())
      load_weights(*chosen.module, state, read_weights(flags.own.weights).tensors);
  }

  ChosenModel chosen;
  BenchBatch batch;
  Normalization normalization;
  State state;
};

class TrainingWork : public Work {
 public:
  TrainingWork(Subject& subject, DType dtype, bool recompute)
      : subject_(subject),
        step_(*subject.chosen.module, subject.state,
              {.normalization = subject.normalization,
               .loss = subject.batch.loss,
               .dtype = dtype,
               .recompute = recompute}),
        optimizer_(optim::sgd({.momentum = 0.9})) {
    optimizer_->declare(subject.state);
    if (dtype == DType::f16) scaler_.emplace(subject.state);
  }
  void run() override {
    const data::Batch& batch = subject_.batch.samples;
    const double loss = step_.gradient(batch.inputs, batch.targets, ++steps_).loss;
    if (steps_ == 1) first_loss_ = loss;
    update();
  }
  const Program& program() override {
    const data::Batch& batch = subject_.batch.samples;
    return step_.program({batch.inputs.dtype(), batch.inputs.shape()},
                         {batch.targets.dtype(), batch.targets.shape()});
  }
  std::optional<double> first_loss() const override { return first_loss_; }

 private:
  // A small rate: diverging values would run slower or faster than real training.
  void update() {
    State& state = subject_.state;
    if (scaler_ && !scaler_->step(std::isfinite(norm_.measure(state).norm))) return;
    optimizer_->update(state, {.lr = 1e-4});
  }

  Subject& subject_;
  train::TrainStep step_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::optional<optim::LossScaler> scaler_;
  optim::GradientNorm norm_;
  int64_t steps_ = 0;
  double first_loss_ = 0;
};

class InferenceWork : public Work {
 public:
  InferenceWork(Subject& subject, DType dtype)
      : subject_(subject),
        inference_(*subject.chosen.module, subject.state, subject.normalization, dtype) {
    inference_.share(memory_);
  }
  void run() override { inference_.output(subject_.batch.samples.inputs); }
  const Program& program() override {
    const Array& inputs = subject_.batch.samples.inputs;
    return inference_.program({inputs.dtype(), inputs.shape()});
  }

 private:
  Subject& subject_;
  Memory memory_;
  Inference inference_;
};

/// The kernels of a Program and how many steps each runs.
using Kernels = std::map<std::pair<std::string, std::string>, int64_t>;

Kernels kernels_of(const Program& program) {
  Kernels result;
  for (const StepInfo& step : program.steps()) {
    if (!step.prepared) ++result[{step.op, step.kernel}];
  }
  return result;
}

std::string kernels_text(const Kernels& kernels) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [names, calls] : kernels)
    rows.push_back({names.first, names.second, std::to_string(calls)});
  return table({"op", "kernel", "calls"}, rows, "llr");
}

Json kernels_json(const Kernels& kernels) {
  Json list = Json::array();
  for (const auto& [names, calls] : kernels)
    list.push_back({{"op", names.first}, {"kernel", names.second}, {"calls", calls}});
  return list;
}

Timeline profiled(Work& work, int64_t runs) {
  start_timeline();
  for (int64_t i = 0; i < runs; ++i) work.run();
  return stop_timeline();
}

double flops_of(const Program& program) {
  double flops = 0;
  for (const StepInfo& step : program.steps()) flops += step.prepared ? 0 : step.flops;
  return flops;
}

/// The work in one precision, measured.
struct Measured {
  std::string precision;
  std::unique_ptr<Work> work;
  double seconds = 0;
};

Measured measure(const BenchNetFlags& flags, Subject& subject, bool training,
                 const std::string& precision) {
  const DType dtype = train::parse_precision(precision);
  Measured result{precision, nullptr};
  if (training) {
    result.work = std::make_unique<TrainingWork>(subject, dtype, flags.recompute);
  } else {
    result.work = std::make_unique<InferenceWork>(subject, dtype);
  }
  result.seconds = median_seconds(flags.repeats, [&] { result.work->run(); });
  return result;
}

Json precisions_json(const std::vector<Measured>& all, int64_t batch) {
  Json list = Json::array();
  for (const Measured& one : all) {
    list.push_back({{"precision", one.precision},
                    {"images_per_second", static_cast<double>(batch) / one.seconds}});
  }
  return list;
}

int run(const BenchNetFlags& flags, bool training, Console& console) {
  const std::unique_ptr<TuningSession> tuning = flags.kernels.apply(console);
  flags.command.require("--model");
  Subject subject(flags);
  std::vector<Measured> all;
  const bool open = flags.precision == "auto";
  for (const std::string& precision :
       open ? std::vector<std::string>{"f32", "bf16"} : std::vector{flags.precision})
    all.push_back(measure(flags, subject, training, precision));
  const Measured& best = *std::ranges::min_element(all, {}, &Measured::seconds);
  const std::unique_ptr<Work>& work = best.work;
  const double seconds = best.seconds;
  const Kernels kernels = kernels_of(work->program());
  const int64_t batch = subject.batch.samples.size();
  const double speed = static_cast<double>(batch) / seconds;
  const double gflops = flops_of(work->program()) / seconds * 1e-9;
  const size_t peak = peak_resident_bytes();
  const ArenaInfo& arena = work->program().arena();

  Json document{{"model", subject.chosen.name},
                {"what", training ? "step" : "infer"},
                {"input", sizes_text(subject.chosen.config.input)},
                {"batch", batch},
                {"precision", best.precision},
                {"precisions", precisions_json(all, batch)},
                {"threads", threads()},
                {"instruction_set", instruction_set()},
                {"median_ms", 1e3 * seconds},
                {"images_per_second", speed},
                {"gflops", gflops},
                {"peak_memory_bytes", peak},
                {"arena", {{"bytes", arena.bytes}, {"lower_bound", arena.lower_bound}}},
                {"kernels", kernels_json(kernels)}};
  if (const std::optional<double> loss = work->first_loss()) document["loss"] = *loss;
  console.result(fmt::format(
      "model        {}, input {}, batch {}, {}, {} threads, {}\n"
      "{:<11}  {:.3f} ms, the median of {}\nspeed        {:.1f} samples/s, {:.1f} GFLOP/s\n"
      "peak memory  {}; arena {}, at least {} of it live at once\n\n",
      subject.chosen.name, sizes_text(subject.chosen.config.input), batch, best.precision,
      threads(), instruction_set(), training ? "step" : "inference", 1e3 * seconds,
      flags.repeats.samples, speed, gflops, bytes_text(peak), bytes_text(arena.bytes),
      bytes_text(arena.lower_bound)));
  if (flags.profiled()) {
    const int64_t runs = flags.repeats.samples;
    const Timeline timeline = profiled(*work, runs);
    const Peak machine = measure_peak();
    document["profile"] = profile_json(timeline, runs, machine);
    console.result(profile_text(timeline, runs, machine));
    if (!flags.trace.empty()) replace_file(flags.trace, trace_text(timeline));
  } else {
    console.result(kernels_text(kernels));
  }
  console.document(document);
  return 0;
}

void add(Commands& commands, Command group, bool training) {
  const auto flags = std::make_shared<BenchNetFlags>();
  Command command =
      commands.add(group, training ? "step" : "infer",
                   training ? "A training step: gradients and the SGD update" : "Inference",
                   [flags, training](Console& console) { return run(*flags, training, console); });
  flags->command = command;
  flags->add(command);
  command.count(
      "--batch", flags->batch,
      training ? "Samples per step; with --inputs, the number in the file" : "Samples per run");
  flags->own.add(command, training);
  command
      .text("--precision", flags->precision, "f32, bf16, f16, or auto: the faster of f32 and bf16",
            "P")
      .default_text(flags->precision);
  if (training) {
    command.flag(
        "--recompute", flags->recompute,
        "Compute most results of the forward pass again in the backward pass: less memory, "
        "more time");
  }
  flags->kernels.add(command);
  flags->repeats.add(command);
  command.flag("--profile", flags->profile,
               "Also time, FLOPs and bytes per second of each kernel and module, in separate runs");
  command.text("--trace", flags->trace,
               "Write these runs as a timeline that chrome://tracing and Perfetto open",
               "FILE.json");
}

}  // namespace

void add_bench_net(Commands& commands, Command group) {
  add(commands, group, true);
  add(commands, group, false);
}

}  // namespace fovea::cli
