#include "fovea/passes/summary.h"

#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/graph/print.h"
#include "fovea/models/selection.h"
#include "fovea/nn/trace.h"
#include "fovea/train/step.h"
#include "model.h"
#include "summary_table.h"

namespace fovea::cli {
namespace {

struct SummaryFlags : ModelFlags {
  Command command;
  int64_t batch = 32;
  std::string freeze;
  bool graph = false, explain_kernels = false, text = false;
};

/// One Program of the model: its graph after each pass, and what it runs.
struct Compiled {
  std::string name;
  std::vector<std::pair<std::string, std::string>> graphs;  ///< pass, the graph after it
  std::vector<StepInfo> steps;
  ArenaInfo arena;
};

Compiled compile(const std::string& name, const Graph& traced, const std::string& loss) {
  Compiled compiled{.name = name, .graphs = {{"trace", print(traced)}}, .steps = {}, .arena = {}};
  const auto observe = [&](std::string_view pass, const Graph&, const Graph& after, double) {
    compiled.graphs.emplace_back(pass, print(after));
  };
  const Program program(
      traced, {.passes = {.loss = loss, .accumulate = false, .observe = observe}, .threads = 0});
  compiled.steps = program.steps();
  compiled.arena = program.arena();
  return compiled;
}

/// A training step and inference, on `batch` images as in data sets.
std::vector<Compiled> compile_both(const ChosenModel& chosen, State& state, int64_t batch,
                                   const std::function<bool(std::string_view)>& frozen) {
  const Shape& input = chosen.config.input;
  const Normalization plain{std::vector<double>(static_cast<size_t>(input[0]), 0),
                            std::vector<double>(static_cast<size_t>(input[0]), 1)};
  const Type images = batch_type(input, batch), labels{DType::i64, {batch}};
  const train::TrainStep step(*chosen.module, state,
                              {.normalization = plain, .loss = any_loss, .frozen = frozen});
  const Inference inference(*chosen.module, state, plain);
  return {compile("training step", *step.trace(images, labels), "loss"),
          compile("inference", *inference.trace(images), "")};
}

std::string graphs_text(const Compiled& compiled) {
  std::string text;
  for (size_t i = 0; i < compiled.graphs.size(); ++i) {
    const auto& [pass, graph] = compiled.graphs[i];
    const bool same = i > 0 && graph == compiled.graphs[i - 1].second;
    text += fmt::format("\n== {}: after {}{}\n{}", compiled.name, pass, same ? ": no changes" : "",
                        same ? "" : graph);
  }
  return text;
}

std::string kernels_text(const Compiled& compiled) {
  std::string text = fmt::format("\n== {}: kernels\n", compiled.name);
  for (const StepInfo& step : compiled.steps) {
    text += fmt::format("{} ({}){}\n  {}\n", step.scope.empty() ? "-" : step.scope, step.kernel,
                        step.prepared ? ", once for each change of the weights" : "", step.problem);
    for (const auto& [kernel, why] : step.refused)
      text += fmt::format("  not {}: {}\n", kernel, why);
  }
  return text;
}

Json sizes_json(const Shape& shape) { return std::vector<int64_t>(shape.begin(), shape.end()); }

Json field_json(const ReceptiveField& field) {
  if (field.empty()) return nullptr;
  return {{"size", field[0].size}, {"jump", field[0].jump}};
}

Json to_json(const Summary& summary, const SummaryFlags& flags) {
  Json layers = Json::array();
  for (const LayerSummary& layer : summary.layers) {
    layers.push_back({{"path", layer.path},
                      {"type", layer.type},
                      {"ops", layer.ops},
                      {"output", sizes_json(layer.output.shape.slice(1))},
                      {"recursive", layer.recursive},
                      {"parameters", layer.parameters},
                      {"trainable", layer.trainable},
                      {"buffers", layer.buffers},
                      {"macs", layer.macs},
                      {"bytes", layer.bytes},
                      {"receptive_field", field_json(layer.field)}});
  }
  return {{"model", summary.model},
          {"input", sizes_json(summary.input.shape.slice(1))},
          {"output", sizes_json(summary.output.shape.slice(1))},
          {"parameters", summary.parameters},
          {"trainable", summary.trainable},
          {"buffers", summary.buffers},
          {"macs", summary.macs},
          {"training_macs", summary.training_macs},
          {"receptive_field", field_json(summary.field)},
          {"arena",
           {{"bytes", summary.arena_bytes},
            {"lower_bound", summary.arena_lower_bound},
            {"batch", flags.batch}}},
          {"layers", layers}};
}

Json graphs_json(const std::vector<Compiled>& programs) {
  Json list = Json::array();
  for (const Compiled& compiled : programs) {
    for (const auto& [pass, graph] : compiled.graphs) {
      list.push_back({{"program", compiled.name}, {"after", pass}, {"graph", graph}});
    }
  }
  return list;
}

Json kernels_json(const std::vector<Compiled>& programs) {
  Json list = Json::array();
  for (const Compiled& compiled : programs) {
    for (const StepInfo& step : compiled.steps) {
      Json refused = Json::object();
      for (const auto& [kernel, why] : step.refused) refused[kernel] = why;
      list.push_back({{"program", compiled.name},
                      {"scope", step.scope},
                      {"problem", step.problem},
                      {"kernel", step.kernel},
                      {"backward", step.backward},
                      {"refused", refused}});
    }
  }
  return list;
}

/// Prints the net file that a net was made from, as it was written.
int print_text(const ChosenModel& chosen, Console& console) {
  if (!chosen.config.net) {
    throw Error(ErrorKind::usage,
                fmt::format("--text: {} is written in C++, not in a net file", chosen.name))
        .with("try", "a NET.toml, or a model file trained from one");
  }
  console.document({{"model", chosen.name}, {"text", chosen.config.net->text}});
  console.result(chosen.config.net->text);
  return 0;
}

int run(const SummaryFlags& flags, Console& console) {
  flags.command.require("--model");
  const ChosenModel chosen = choose(flags);
  if (flags.text) return print_text(chosen, console);
  State state;
  nn::declare(state, *chosen.module, 0);
  const std::shared_ptr<Graph> graph =
      nn::trace(*chosen.module, Shape{1}.concat(chosen.config.input));
  const auto frozen = [names = models::select("--freeze", flags.freeze, *chosen.module,
                                              models::head(chosen.name, chosen.config))](
                          std::string_view array) { return names.contains(array); };
  graph->freeze(frozen);
  Summary summary = summarize(*graph, state.names(Role::parameter));
  // Two samples: a norm may see just one value per channel of each.
  const auto training =
      nn::trace(*chosen.module, Shape{2}.concat(chosen.config.input), Mode::train);
  if (training->outputs().size() > graph->outputs().size()) {  // auxiliary heads
    training->freeze(frozen);
    add_training_layers(summary, summarize(*training, state.names(Role::parameter)));
  }
  const std::vector<Compiled> programs = compile_both(chosen, state, flags.batch, frozen);
  summary.arena_bytes = programs[0].arena.bytes;
  summary.arena_lower_bound = programs[0].arena.lower_bound;

  Json document = to_json(summary, flags);
  if (chosen.config.net) document["text"] = chosen.config.net->text;
  if (flags.graph) document["graphs"] = graphs_json(programs);
  if (flags.explain_kernels) document["kernels"] = kernels_json(programs);
  console.document(document);
  console.result(summary_table(summary));
  console.result(fmt::format("{:28}for a training step, batch {}\n", "", flags.batch));
  for (const Compiled& compiled : programs) {
    if (flags.graph) console.result(graphs_text(compiled));
    if (flags.explain_kernels) console.result(kernels_text(compiled));
  }
  return 0;
}

}  // namespace

void add_summary(Commands& commands) {
  const auto flags = std::make_shared<SummaryFlags>();
  Command command = commands.add(commands.root(), "summary", "Show a model's layers and costs",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  flags->add(command);
  command.count("--batch", flags->batch, "Batch size of the training step whose memory is shown");
  command.text(
      "--freeze", flags->freeze,
      "Arrays not to train: backbone (all but the head), head, norms, vectors (biases and norms), "
      "or globs of names",
      "GLOB");
  command.flag("--text", flags->text, "Only the net file (NET.toml) that the net was made from");
  command.flag("--graph", flags->graph, "Also the graph before and after each pass");
  command.flag("--explain-kernels", flags->explain_kernels,
               "Also which kernel runs each step, and why others do not");
}

}  // namespace fovea::cli
