#include "fovea/explain/map_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "fovea/core/text.h"
#include "fovea/passes/tap.h"

namespace fovea::explain {
namespace {

/// The names of module results by value id: of several modules that returned the value, the one
/// that computed it.
std::map<int, std::string> module_names(Graph& graph) {
  std::map<int, std::string> names;
  for (const Tap& result : module_results(graph)) names.emplace(result.value.id(), result.name);
  return names;
}

/// "conv3", "conv3+relu" for the relu of its result, which no module returned; "input+conv" where
/// there are none.
std::string name_of(const Tensor& input, int id, const std::map<int, std::string>& modules) {
  const Graph& graph = input.graph();
  std::string ops;
  while (true) {
    if (id == input.id()) return "input" + ops;
    if (const auto module = modules.find(id); module != modules.end()) return module->second + ops;
    const Value& value = graph.value(id);
    if (value.node < 0) return value.name + ops;
    const Node& node = graph.node(value.node);
    ops = fmt::format("+{}{}", node.op.name(), ops);
    if (node.inputs.empty()) return ops;
    id = node.inputs[0];
  }
}

/// The values between input and output, by id: those that depend on the one, and that the other
/// depends on.
std::vector<bool> between(const Tensor& input, const Tensor& output) {
  const Graph& graph = input.graph();
  const auto index = [](int id) { return static_cast<size_t>(id); };
  std::vector<bool> depends(graph.values().size(), false), used(graph.values().size(), false);
  depends[index(input.id())] = true;
  used[index(output.id())] = true;
  for (const Node& node : graph.nodes()) {
    const bool any = std::ranges::any_of(node.inputs, [&](int id) { return depends[index(id)]; });
    for (int id : node.outputs) depends[index(id)] = depends[index(id)] || any;
  }
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.node(static_cast<int>(i));
    if (!std::ranges::any_of(node.outputs, [&](int id) { return used[index(id)]; })) continue;
    for (int id : node.inputs) used[index(id)] = true;
  }
  for (size_t id = 0; id < depends.size(); ++id) depends[id] = depends[id] && used[id];
  return depends;
}

bool has_map(const Type& type, const Tensor& input) { return type.rank() == input.rank(); }

/// The values in order of computation that could be a layer: those that the model's modules
/// compute, not what is read from its output.
std::vector<int> candidates(const Tensor& input, const Tensor& output) {
  const Graph& graph = input.graph();
  const std::vector<bool> inside = between(input, output);
  std::vector<int> ids;
  for (const Node& node : graph.nodes()) {
    if (node.origin.call < 0) continue;
    for (int id : node.outputs) {
      if (inside[static_cast<size_t>(id)] && has_map(graph.value(id).type, input))
        ids.push_back(id);
    }
  }
  return ids;
}

Error no_map(const Graph& graph) {
  return Error(ErrorKind::usage,
               fmt::format("{} has no layer with a map: it flattens its input at once",
                           graph.title().empty() ? "the model" : graph.title()))
      .with("try", "fovea explain saliency, whose methods need no layer");
}

Error unknown_layer(const std::string& name, const Tensor& input) {
  std::vector<std::string> names;
  for (const Tap& result : module_results(input.graph())) {
    if (has_map(result.value.type(), input)) names.push_back(result.name);
  }
  constexpr size_t shown = 60;
  std::string list = join(std::span(names).first(std::min(shown, names.size())));
  if (names.size() > shown) list += fmt::format(", and {} more", names.size() - shown);
  return unknown_name("layer", name, names).with("layers", list);
}

}  // namespace

Layer find_layer(const Tensor& input, const Tensor& output, const std::string& name) {
  Graph& graph = input.graph();
  const std::map<int, std::string> modules = module_names(graph);
  const auto layer = [&](int id, const std::string& called) {
    return Layer{called, Tensor(input.graph_ptr(), id)};
  };
  const std::vector<int> ids = candidates(input, output);
  if (name.empty()) {
    if (ids.empty()) throw no_map(graph);
    int best = ids.back();
    int64_t fewest = std::numeric_limits<int64_t>::max();
    for (int id : ids) {
      const int64_t positions = graph.value(id).type.shape.slice(2).numel();
      if (positions == 1 || positions > fewest) continue;
      fewest = positions;
      best = id;
    }
    return layer(best, name_of(input, best, modules));
  }
  for (const Tap& result : module_results(graph)) {  // any of the modules that returned the value
    if (result.name != name) continue;
    if (has_map(result.value.type(), input)) return layer(result.value.id(), name);
    throw Error(ErrorKind::usage, fmt::format("layer {} has no map of positions", name))
        .with("result", to_string(result.value.type()))
        .with("try", "a layer before global pooling or flatten");
  }
  for (int id : ids) {
    if (name_of(input, id, modules) == name) return layer(id, name);
  }
  throw unknown_layer(name, input);
}

Layer shared_layer(const Tensor& input, const Tensors& outputs) {
  std::vector<int> shared = candidates(input, outputs.at(0));
  for (const Tensor& output : outputs) {
    const std::vector<bool> inside = between(input, output);
    std::erase_if(shared, [&](int id) { return !inside[static_cast<size_t>(id)]; });
  }
  if (shared.empty()) throw no_map(input.graph());
  const int deepest = shared.back();
  return {name_of(input, deepest, module_names(input.graph())), Tensor(input.graph_ptr(), deepest)};
}

Tensor with_layer(const Tensor& output, const Tensor& layer, const Tensor& other) {
  Graph& graph = output.graph();
  const size_t count = graph.nodes().size();
  std::map<int, Tensor> changed{{layer.id(), other}};
  for (size_t i = 0; i < count; ++i) {
    const Node& node = graph.node(static_cast<int>(i));
    if (std::ranges::none_of(node.inputs, [&](int id) { return changed.contains(id); })) continue;
    if (std::ranges::any_of(node.outputs, [&](int id) { return changed.contains(id); })) continue;
    Tensors inputs;
    for (int id : node.inputs) {
      const auto found = changed.find(id);
      inputs.push_back(found != changed.end() ? found->second : Tensor(output.graph_ptr(), id));
    }
    const Tensors outputs = graph.add(node.op, inputs);
    for (size_t k = 0; k < outputs.size(); ++k) changed[node.outputs[k]] = outputs[k];
  }
  const auto found = changed.find(output.id());
  return found != changed.end() ? found->second : output;
}

}  // namespace fovea::explain
