#include <fmt/format.h>

#include <algorithm>

#include "fovea/doctor/check.h"
#include "fovea/runtime/program.h"

namespace fovea::doctor {
namespace {

/// The share of channels, of axis 1, that are the same number everywhere.
double constant_share(const Array& values) {
  const int64_t n = values.dim(0), channels = values.dim(1);
  const int64_t places = values.numel() / (n * channels);
  int64_t constant = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const double first = values.at(c * places);
    bool same = true;
    for (int64_t i = 0; i < n && same; ++i) {
      for (int64_t p = 0; p < places && same; ++p)
        same = values.at((i * channels + c) * places + p) == first;
    }
    constant += same;
  }
  return static_cast<double>(constant) / static_cast<double>(channels);
}

}  // namespace

/// Units whose activation is the same for all samples and places.
Finding check_dead_units(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  const train::Setup& setup = patient.setup();
  const auto graph = Graph::make(Mode::train, DType::f32, setup.model->name());
  constexpr int64_t most = 256;  // samples
  const data::Batch few =
      stacked(*setup.prepared(setup.split.train), 0, std::min(most, setup.split.train->size()));
  const Tensor input = graph->input("inputs", {few.inputs.dtype(), few.inputs.shape()});
  graph->output("output", apply(*setup.model, input, setup.normalization()));
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, Tensor>> found;
  for (const Node& node : graph->nodes()) {
    if (node.op.name() != "relu" && node.op.name() != "relu6") continue;
    const Tensor value = node.output(0);
    if (value.rank() >= 2) found.emplace_back(node.scope(), value);
  }
  for (const auto& [scope, value] : found) {
    graph->output(fmt::format("unit:{}", layers.size()), value);
    layers.push_back(scope.empty() ? fmt::format("relu {}", layers.size() + 1) : scope);
  }
  if (layers.empty()) return skipped("no activation is a relu");
  Inputs inputs{{"inputs", few.inputs}};
  const Array random = Array::of(std::vector<int64_t>{1, 1});
  for (const Value& value : graph->values()) {
    if (value.leaf == Leaf::input && value.name == "random") inputs.emplace_back("random", random);
  }
  Memory memory;
  const std::vector<Array> outputs =
      Program(*graph).run(memory, patient.experiment.state(), inputs);
  double worst = 0;
  size_t where = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const double share = constant_share(outputs[i + 1]);
    if (share <= worst) continue;
    worst = share;
    where = i;
  }
  const std::string text =
      worst == 0 ? fmt::format("none in {} layers", layers.size())
                 : fmt::format("up to {:.1f}% of a layer ({})", 100 * worst, layers[where]);
  constexpr double many = 0.75;
  if (worst < many) return ok(text);
  return problem(
      text,
      "a lower learning rate, other initial weights, or an activation with a slope below "
      "0 (leaky_relu, gelu)");
}

}  // namespace fovea::doctor
