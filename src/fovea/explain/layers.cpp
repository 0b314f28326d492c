#include "fovea/explain/layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/ops/conv.h"

namespace fovea::explain {

std::vector<ConvLayer> convolutions(const Graph& graph) {
  std::vector<ConvLayer> layers;
  for (const Node& node : graph.nodes()) {
    if (node.op.as<Conv>() == nullptr) continue;
    const Value& weight = graph.value(node.inputs[1]);
    if (weight.leaf != Leaf::state) continue;
    if (std::ranges::find(layers, weight.name, &ConvLayer::weight) == layers.end())
      layers.push_back({node.scope(), weight.name});
  }
  return layers;
}

std::vector<std::string> layer_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Call& call : graph.calls()) {
    if (!call.path.empty() && std::ranges::find(names, call.path) == names.end())
      names.push_back(call.path);
  }
  return names;
}

std::vector<Tap> tap_layers(Graph& graph, std::string_view patterns) {
  constexpr size_t listed = 200;
  std::vector<Tap> taps;
  for (const std::string& pattern : split(patterns, ',')) {
    try {
      for (Tap& found : tap(graph, pattern)) {
        if (std::ranges::find(taps, found.name, &Tap::name) == taps.end())
          taps.push_back(std::move(found));
      }
    } catch (Error& error) {
      std::vector<std::string> names = layer_names(graph);
      const size_t count = names.size();
      names.resize(std::min(count, listed));
      throw error.with("layers", join(names) + (count > listed ? ", ..." : ""));
    }
  }
  return taps;
}

Error no_convolution(std::string_view what, std::string_view model) {
  return Error(ErrorKind::usage, fmt::format("{}: {} has no convolution", what, model))
      .with("expected", "a convolutional net");
}

}  // namespace fovea::explain
