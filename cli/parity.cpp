#include "fovea/predict/parity.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "commands.h"
#include "fovea/formats/npy.h"
#include "model.h"

namespace fovea::cli {
namespace {

struct ParityFlags : TrainedFlags {
  Command command;
  std::string trace;
  double tolerance = 1e-3;
};

/// JSON has no numbers that are not finite.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const LayerParity& layer, double tolerance) {
  return {{"name", layer.name},
          {"shape", std::vector<int64_t>(layer.shape.begin(), layer.shape.end())},
          {"recorded", std::vector<int64_t>(layer.recorded.begin(), layer.recorded.end())},
          {"difference", number(layer.difference)},
          {"relative", number(layer.relative())},
          {"ok", layer.relative() <= tolerance}};
}

std::vector<std::string> row(const LayerParity& layer, double tolerance) {
  const bool shapes = layer.shape == layer.recorded;
  return {layer.name,
          to_string(layer.shape),
          shapes ? fmt::format("{:.2e}", layer.largest) : "",
          shapes ? fmt::format("{:.2e}", layer.difference) : "",
          shapes ? fmt::format("{:.2e}", layer.relative()) : to_string(layer.recorded),
          layer.relative() <= tolerance ? "" : "differs"};
}

std::string verdict(const Parity& parity, const LayerParity* first, double tolerance) {
  const size_t count = parity.layers.size();
  if (first == nullptr)
    return fmt::format("\nAll {} agree within {:g} of each layer's largest value.\n", count,
                       tolerance);
  return first->shape == first->recorded
             ? fmt::format("\nThe first that differs is {}: by {:.2e} of its largest value.\n",
                           first->name, first->relative())
             : fmt::format("\nThe first that differs is {}: {} here, {} in the trace.\n",
                           first->name, to_string(first->shape), to_string(first->recorded));
}

int run(const ParityFlags& flags, Console& console) {
  flags.command.require("--model");
  flags.command.require("--trace");
  const std::unique_ptr<Predictor> predictor = load_predictor(flags, console);
  const Parity parity = compare(predictor->model(), predictor->state(), read_npz(flags.trace));
  const LayerParity* first = parity.first_departure(flags.tolerance);

  std::vector<LayerParity> all = parity.layers;
  if (parity.compiled) all.push_back(*parity.compiled);
  Json layers = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const LayerParity& layer : all) {
    layers.push_back(to_json(layer, flags.tolerance));
    rows.push_back(row(layer, flags.tolerance));
  }
  console.document({{"layers", layers},
                    {"first", first == nullptr ? Json(nullptr) : Json(first->name)},
                    {"tolerance", flags.tolerance},
                    {"unmatched", parity.unmatched}});
  console.result(
      table({"layer", "shape", "largest", "difference", "relative", ""}, rows, "llrrrl"));
  if (!parity.unmatched.empty())
    console.note(fmt::format("only in the trace: {}", join(parity.unmatched)));
  console.result(verdict(parity, first, flags.tolerance));
  return first == nullptr ? 0 : 1;
}

}  // namespace

void add_parity(Commands& commands) {
  const auto flags = std::make_shared<ParityFlags>();
  Command command = commands.add(commands.root(), "parity",
                                 "Compare a model layer by layer with a trace from another program",
                                 [flags](Console& console) { return run(*flags, console); });
  flags->command = command;
  flags->add(command);
  command.text("--trace", flags->trace,
               "The other program's results: arrays by module names, and the input; see "
               "bench/peers/record_trace.py",
               "X.npz");
  command.number("--tolerance", flags->tolerance,
                 "Largest allowed difference, as a fraction of a layer's largest value", 0, 1);
}

}  // namespace fovea::cli
