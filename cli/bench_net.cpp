#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "bench.h"
#include "fovea/core/parallel.h"
#include "fovea/core/process.h"
#include "fovea/core/random.h"
#include "fovea/optim/gradient_norm.h"
#include "fovea/optim/loss_scaler.h"
#include "fovea/optim/sgd.h"
#include "fovea/train/settings.h"
#include "fovea/train/step.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct Flags : ModelFlags {
  Command command;
  int64_t batch = 64;
  std::string precision = "f32";
  Repeats repeats;
  bool profile = false;
};

/// One training step or one inference, on synthetic images.
class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;
  /// Like `run`, and adds the time of step i of the Program to seconds[i].
  virtual void profile(std::vector<double>& seconds) = 0;
  virtual const Program& program() = 0;
};

/// What both kinds of work have in common.
struct Subject {
  explicit Subject(const Flags& flags)
      : chosen(choose(flags)),
        images(Array::zeros(batch_type(chosen.config.input, flags.batch).dtype,
                            batch_type(chosen.config.input, flags.batch).shape)),
        labels(DType::i64, {flags.batch}),
        normalization{std::vector<double>(static_cast<size_t>(chosen.config.input[0]), 0.5),
                      std::vector<double>(static_cast<size_t>(chosen.config.input[0]), 0.25)} {
    Random random(1, "bench");
    if (images.dtype() == DType::u8) {
      for (uint8_t& value : images.data<uint8_t>()) value = static_cast<uint8_t>(random.below(256));
    } else {
      for (float& value : images.data<float>()) value = static_cast<float>(random.normal());
    }
    for (int64_t& label : labels.data<int64_t>()) {
      label = static_cast<int64_t>(random.below(static_cast<uint64_t>(chosen.config.outputs)));
    }
    nn::declare(state, *chosen.module, 1);
  }

  ChosenModel chosen;
  Array images, labels;
  Normalization normalization;
  State state;
};

class TrainingWork : public Work {
 public:
  TrainingWork(Subject& subject, DType dtype)
      : subject_(subject),
        step_(*subject.chosen.module, subject.state,
              {.normalization = subject.normalization, .loss = any_loss, .dtype = dtype}),
        optimizer_(optim::sgd({.momentum = 0.9})) {
    optimizer_->declare(subject.state);
    if (dtype == DType::f16) scaler_.emplace(subject.state);
  }
  void run() override {
    step_.gradient(subject_.images, subject_.labels, ++steps_);
    update();
  }
  void profile(std::vector<double>& seconds) override {
    step_.profile(subject_.images, subject_.labels, ++steps_, seconds);
    update();
  }
  const Program& program() override {
    return step_.program({subject_.images.dtype(), subject_.images.shape()},
                         {DType::i64, subject_.labels.shape()});
  }

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
};

class InferenceWork : public Work {
 public:
  InferenceWork(Subject& subject, DType dtype)
      : subject_(subject),
        inference_(*subject.chosen.module, subject.state, subject.normalization, dtype) {
    inference_.share(memory_);
  }
  void run() override { inference_.output(subject_.images); }
  void profile(std::vector<double>& seconds) override {
    program().run_profiled(memory_, subject_.state, {{"inputs", subject_.images}}, seconds);
  }
  const Program& program() override {
    return inference_.program({subject_.images.dtype(), subject_.images.shape()});
  }

 private:
  Subject& subject_;
  Memory memory_;
  Inference inference_;
};

/// The totals of one op on one kernel in a Program.
struct Share {
  int64_t calls = 0;
  double seconds = 0;
};
using Shares = std::map<std::pair<std::string, std::string>, Share>;

/// By op and kernel; `seconds` has one number per step, or is empty.
Shares shares(const Program& program, const std::vector<double>& seconds) {
  Shares result;
  for (size_t i = 0; i < program.steps().size(); ++i) {
    const StepInfo& step = program.steps()[i];
    if (step.prepared) continue;
    Share& share = result[{step.op, step.kernel}];
    ++share.calls;
    share.seconds += seconds.empty() ? 0 : seconds[i];
  }
  return result;
}

/// Mean seconds of each step.
std::vector<double> profiled(Work& work, const Repeats& repeats) {
  std::vector<double> warm, seconds;
  for (int64_t i = 0; i < repeats.warmup; ++i) work.profile(warm);
  for (int64_t i = 0; i < repeats.samples; ++i) work.profile(seconds);
  for (double& value : seconds) value /= static_cast<double>(repeats.samples);
  return seconds;
}

std::string shares_text(const Shares& shares, bool timed) {
  double all = 0;
  std::vector<std::pair<double, std::vector<std::string>>> rows;
  for (const auto& [names, share] : shares) all += share.seconds;
  for (const auto& [names, share] : shares) {
    std::vector<std::string> row{names.first, names.second, std::to_string(share.calls)};
    if (timed) {
      row.push_back(fmt::format("{:.3f}", 1e3 * share.seconds));
      row.push_back(fmt::format("{:.1f}%", 100 * share.seconds / all));
    }
    rows.emplace_back(-share.seconds, row);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::vector<std::string>> cells;
  for (auto& [order, row] : rows) cells.push_back(std::move(row));
  return timed ? table({"op", "kernel", "calls", "ms", "share"}, cells, "llrrr")
               : table({"op", "kernel", "calls"}, cells, "llr");
}

Json shares_json(const Shares& shares, bool timed) {
  Json list = Json::array();
  for (const auto& [names, share] : shares) {
    list.push_back({{"op", names.first}, {"kernel", names.second}, {"calls", share.calls}});
    if (timed) list.back()["ms"] = 1e3 * share.seconds;
  }
  return list;
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

Measured measure(const Flags& flags, Subject& subject, bool training,
                 const std::string& precision) {
  const DType dtype = train::parse_precision(precision);
  Measured result{precision, nullptr};
  if (training) {
    result.work = std::make_unique<TrainingWork>(subject, dtype);
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

int run(const Flags& flags, bool training, Console& console) {
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
  const std::vector<double> profile =
      flags.profile ? profiled(*work, flags.repeats) : std::vector<double>();
  const Shares kernels = shares(work->program(), profile);
  const double speed = static_cast<double>(flags.batch) / seconds;
  const double gflops = flops_of(work->program()) / seconds * 1e-9;
  const size_t peak = peak_resident_bytes();

  console.document({{"model", subject.chosen.name},
                    {"what", training ? "step" : "infer"},
                    {"input", sizes_text(subject.chosen.config.input)},
                    {"batch", flags.batch},
                    {"precision", best.precision},
                    {"precisions", precisions_json(all, flags.batch)},
                    {"threads", threads()},
                    {"median_ms", 1e3 * seconds},
                    {"images_per_second", speed},
                    {"gflops", gflops},
                    {"peak_memory_bytes", peak},
                    {"kernels", shares_json(kernels, flags.profile)}});
  console.result(fmt::format(
      "model        {}, input {}, batch {}, {}, {} threads\n"
      "{:<11}  {:.3f} ms, the median of {}\nspeed        {:.1f} images/s, {:.1f} GFLOP/s\n"
      "peak memory  {}\n\n",
      subject.chosen.name, sizes_text(subject.chosen.config.input), flags.batch, best.precision,
      threads(), training ? "step" : "inference", 1e3 * seconds, flags.repeats.samples, speed,
      gflops, bytes_text(peak)));
  console.result(shares_text(kernels, flags.profile));
  return 0;
}

void add(Commands& commands, Command group, bool training) {
  const auto flags = std::make_shared<Flags>();
  Command command =
      commands.add(group, training ? "step" : "infer",
                   training ? "A training step: gradients and the SGD update" : "Inference",
                   [flags, training](Console& console) { return run(*flags, training, console); });
  flags->command = command;
  flags->add(command);
  command.count("--batch", flags->batch, "Images per step");
  command
      .text("--precision", flags->precision, "f32, bf16, f16, or auto: the faster of f32 and bf16",
            "P")
      .default_text(flags->precision);
  flags->repeats.add(command);
  command.flag("--profile", flags->profile, "Also the time of each op, measured in separate runs");
}

}  // namespace

void add_bench_net(Commands& commands, Command group) {
  add(commands, group, true);
  add(commands, group, false);
}

}  // namespace fovea::cli
