#include "fovea/predict/parity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "fovea/core/text.h"
#include "fovea/nn/trace.h"
#include "fovea/passes/tap.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

constexpr std::string_view input_name = "input", output_name = "output";

const Array& input_of(const Trace& trace) {
  for (const auto& [name, array] : trace) {
    if (name == input_name) return array;
  }
  throw Error(ErrorKind::data, "the trace has no array \"input\"")
      .with("try", "record it with bench/peers/record_trace.py");
}

/// The output of each module in its last call, by its path, in order of completion. A recorded
/// array is the single output of a module.
std::vector<std::pair<std::string, int>> results(const Graph& graph) {
  std::vector<std::pair<std::string, int>> last;
  for (int i : graph.calls_by_end()) {
    const Call& call = graph.call(i);
    if (call.path.empty() || call.outputs.size() != 1) continue;
    std::erase_if(last, [&](const auto& result) { return result.first == call.path; });
    last.emplace_back(call.path, call.outputs[0]);
  }
  return last;
}

LayerParity measure(std::string name, const Array& here, const Array& recorded) {
  LayerParity layer{.name = std::move(name), .shape = here.shape(), .recorded = recorded.shape()};
  if (layer.shape != layer.recorded) return layer;
  for (int64_t i = 0; i < here.numel(); ++i) {
    const double ours = here.at(i), theirs = recorded.at(i);
    if (ours == theirs || (std::isnan(ours) && std::isnan(theirs))) continue;
    const double difference = std::abs(ours - theirs);
    // NaN, once seen, stays: no comparison with it is true.
    if (!(difference <= layer.difference)) layer.difference = difference;
    if (std::isnan(layer.difference)) break;
  }
  for (int64_t i = 0; i < recorded.numel(); ++i) {
    if (std::isfinite(recorded.at(i)))
      layer.largest = std::max(layer.largest, std::abs(recorded.at(i)));
  }
  return layer;
}

[[noreturn]] void refuse(const std::vector<std::string>& names, const nn::Module& model) {
  const std::vector<std::string> some(names.begin(),
                                      names.begin() + std::min<ptrdiff_t>(std::ssize(names), 8));
  throw Error(ErrorKind::data,
              fmt::format("the trace has nothing that the model {} has", model.name()))
      .with("found", join(some))
      .with("expected", "arrays by the paths of its modules, or \"output\"");
}

}  // namespace

double LayerParity::relative() const {
  if (shape != recorded) return std::numeric_limits<double>::infinity();
  return difference == 0 ? 0 : difference / std::max(largest, std::numeric_limits<double>::min());
}

const LayerParity* Parity::first_departure(double tolerance) const {
  const auto departs = [&](const LayerParity& l) { return !(l.relative() <= tolerance); };
  const auto found = std::ranges::find_if(layers, departs);
  if (found != layers.end()) return &*found;
  return compiled && departs(*compiled) ? &*compiled : nullptr;
}

Parity compare(const nn::Module& model, State& state, const Trace& trace) {
  const Array input = input_of(trace).astype(DType::f32);
  std::map<std::string_view, const Array*> recorded;
  for (const auto& [name, array] : trace) {
    if (name != input_name) recorded[name] = &array;
  }
  const std::shared_ptr<Graph> fused = nn::trace(model, input.shape());
  const std::shared_ptr<Graph> tapped = nn::trace(model, input.shape());
  std::vector<std::string_view> compared;
  for (const auto& [name, value] : results(*tapped)) {
    const auto found = recorded.find(name);
    if (found == recorded.end()) continue;
    tapped->output(tap_name(name), Tensor(tapped, value));
    compared.push_back(found->first);
  }
  Parity parity;
  for (const auto& [name, array] : trace) {
    const bool used = name == input_name || name == output_name;
    if (!used && std::ranges::count(compared, name) == 0) parity.unmatched.push_back(name);
  }
  const auto recorded_output = recorded.find(output_name);
  if (compared.empty() && recorded_output == recorded.end()) refuse(parity.unmatched, model);

  Memory memory;
  const std::vector<Array> values = Program(*tapped).run(memory, state, {{input_name, input}});
  for (size_t i = 0; i < compared.size(); ++i) {  // after the output of the model itself
    parity.layers.push_back(
        measure(std::string(compared[i]), values[i + 1], *recorded.at(compared[i])));
  }
  if (recorded_output == recorded.end()) return parity;
  parity.layers.push_back(measure(std::string(output_name), values[0], *recorded_output->second));
  const Array output = Program(*fused).run(memory, state, {{input_name, input}})[0];
  parity.compiled = measure("output, compiled", output, *recorded_output->second);
  return parity;
}

}  // namespace fovea
