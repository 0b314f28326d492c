#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "bench.h"
#include "fovea/core/parallel.h"
#include "fovea/core/process.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/kernel.h"
#include "fovea/kernels/synthetic_run.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/problem.h"

namespace fovea::cli {
namespace {

struct BenchOpFlags {
  std::vector<std::string> problems;
  std::string pass = "all", layout = "auto";
  Repeats repeats;
  KernelFlags kernels;
};

struct MeasuredKernel {
  std::string problem, pass, types, kernel;
  std::vector<std::pair<std::string, std::string>> refused;
  int64_t images = 0;
  double seconds = 0, flops = 0;

  double gflops() const { return flops / seconds * 1e-9; }
};

/// The values that may have a layout: those of a convolution except the weight and its gradient,
/// all values of an op that accepts any common layout, none of other ops.
std::vector<Type*> image_values(OpCall& call) {
  if (call.op.as<Conv>() != nullptr) return {&call.in[0], &call.out[0]};
  if (call.op.as<ConvBackwardData>() != nullptr) return {&call.in[1], &call.out[0]};
  if (call.op.as<ConvBackwardWeights>() != nullptr) return {&call.in[0], &call.in[1]};
  std::vector<Type*> values;
  if (call.op.traits().layout != LayoutRule::channelwise) return values;
  for (Types* types : {&call.in, &call.out}) {
    for (Type& type : *types)
      if (fits(type, Layout::channels_last)) values.push_back(&type);
  }
  return values;
}

/// As in the layout pass: a value that cannot have the layout stays plain, like an image of 3
/// channels in blocks of 16. All values of an op that accepts any common layout get the same.
void set_layouts(OpCall& call, const std::string& wanted) {
  const std::vector<Type*> values = image_values(call);
  for (Type* type : values) {
    if (wanted == "auto") type->layout = preferred_layout(*type);
    for (Layout layout : {Layout::plain, Layout::channels_last, Layout::blocked16}) {
      if (name(layout) == wanted) type->layout = layout;
    }
    if (!fits(*type, type->layout)) type->layout = Layout::plain;
  }
  if (call.op.traits().layout != LayoutRule::channelwise) return;
  const auto differs = [&](const Type* type) { return type->layout != values[0]->layout; };
  if (std::ranges::any_of(values, differs))
    for (Type* type : values) type->layout = Layout::plain;
}

std::string types_text(const OpCall& call) {
  std::string text;
  for (const Type& type : call.in) text += (text.empty() ? "" : ", ") + to_string(type);
  return text + " -> " + to_string(call.out[0]);
}

/// Measures only the kernel, without packing of weights or layout changes.
double seconds_of(const Kernel& kernel, const OpCall& call, const Repeats& repeats) {
  const SyntheticRun run(kernel, call.in, call.out);
  run.pack();
  return median_seconds(repeats, [&] { run(); });
}

MeasuredKernel measure(const BenchOpFlags& flags, const std::string& problem,
                       const std::string& pass, OpCall call) {
  set_layouts(call, flags.layout);
  const TeamScope team(threads());
  const FixedWeightsScope fixed(pass == "fwd");
  const KernelChoice choice =
      choose_kernel({.op = call.op, .in = call.in, .out = call.out, .threads = threads()});
  const std::string detail = choice.kernel->detail();
  return {.problem = problem,
          .pass = pass,
          .types = types_text(call),
          .kernel = choice.name + (detail.empty() ? "" : " " + detail),
          .refused = choice.refused,
          .seconds = seconds_of(*choice.kernel, call, flags.repeats),
          .flops = call.op.flops(call.in, call.out)};
}

/// The passes that --pass names.
std::vector<std::pair<std::string, OpCall>> passes(const OpCall& forward, const std::string& pass) {
  std::vector<std::pair<std::string, OpCall>> result;
  if (forward.op.as<Conv>() == nullptr && pass == "all") return {{"fwd", forward}};
  const bool all = pass == "all";
  if (all || pass == "fwd") result.emplace_back("fwd", forward);
  if (all || pass == "bwd_d") result.emplace_back("bwd_d", backward_data(forward));
  if (all || pass == "bwd_w") result.emplace_back("bwd_w", backward_weights(forward));
  return result;
}

Json to_json(const MeasuredKernel& m) {
  Json refused = Json::object();
  for (const auto& [kernel, why] : m.refused) refused[kernel] = why;
  return {{"problem", m.problem},
          {"pass", m.pass},
          {"types", m.types},
          {"kernel", m.kernel},
          {"refused", refused},
          {"median_ms", 1e3 * m.seconds},
          {"images_per_second", static_cast<double>(m.images) / m.seconds},
          {"gflops", m.gflops()}};
}

/// A backward op trusts the values from its forward op, so it cannot be benchmarked on its own.
void require_forward(const Op& op) {
  if (op.traits().differentiable) return;
  throw Error(ErrorKind::usage, fmt::format("bench op: {} is not a forward op", op.name()))
      .with("try", "an op that has a gradient, such as max_pool or conv");
}

int run(const BenchOpFlags& flags, Console& console) {
  const std::unique_ptr<TuningSession> tuning = flags.kernels.apply(console);
  if (flags.problems.empty()) {
    throw Error(ErrorKind::usage, "bench op: a problem is required")
        .with("try", "fovea bench op conv:mb64ic64ih32oc64kh3ph1");
  }
  std::vector<std::pair<std::string, OpCall>> calls;  // all are parsed before any is measured
  for (const std::string& problem : flags.problems) {
    calls.emplace_back(problem, parse_problem(problem));
    require_forward(calls.back().second.op);
  }
  Json results = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& [problem, forward] : calls) {
    for (const auto& [pass, call] : passes(forward, flags.pass)) {
      MeasuredKernel m = measure(flags, problem, pass, call);
      m.images = forward.out[0].rank() > 0 ? forward.out[0].dim(0) : 1;
      results.push_back(to_json(m));
      rows.push_back({problem, pass, fmt::format("{:.3f}", 1e3 * m.seconds),
                      fmt::format("{:.1f}", m.gflops()), m.kernel, m.types});
    }
  }
  console.document({{"threads", threads()},
                    {"instruction_set", instruction_set()},
                    {"results", results},
                    {"peak_memory_bytes", peak_resident_bytes()}});
  console.result(table({"problem", "pass", "ms", "GFLOP/s", "kernel", "types"}, rows, "llrrll"));
  return 0;
}

}  // namespace

void add_bench_op(Commands& commands, Command group) {
  const auto flags = std::make_shared<BenchOpFlags>();
  Command command = commands.add(group, "op", "Kernels of single ops",
                                 [flags](Console& console) { return run(*flags, console); });
  command.texts(
      "PROBLEM", flags->problems,
      "Such as conv:mb64ic64ih32oc64kh3ph1sh2, or ...:bf16; for any op as --explain-kernels "
      "prints them: \"relu f32[64, 64, 32, 32]\"");
  command.word("--pass", flags->pass, "Which passes to measure", {"fwd", "bwd_d", "bwd_w", "all"});
  command.word("--layout", flags->layout,
               "Layout of the images; auto: the one that is preferred for this instruction set",
               {"auto", "plain", "channels_last", "blocked16"});
  flags->kernels.add(command);
  flags->repeats.add(command);
}

}  // namespace fovea::cli
