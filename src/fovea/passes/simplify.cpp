#include "fovea/passes/simplify.h"

#include <map>

namespace fovea {
namespace {

std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> value(graph.values().size(), false), needed(graph.nodes().size(), false);
  for (const auto* list : {&graph.outputs(), &graph.updates()}) {
    for (const auto& [name, id] : *list) value[static_cast<size_t>(id)] = true;
  }
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    for (int id : node.outputs) needed[i] = needed[i] || value[static_cast<size_t>(id)];
    if (!needed[i]) continue;
    for (int id : node.inputs) value[static_cast<size_t>(id)] = true;
  }
  return needed;
}

}  // namespace

std::shared_ptr<Graph> simplify(const Graph& graph) {
  const std::vector<bool> needed = needed_nodes(graph);
  Rewriter copy(graph);
  std::map<std::string, const Node*>
      seen;  // op, attributes, inputs in the new graph -> the first such node
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!needed[i]) continue;
    const Node& node = graph.nodes()[i];
    std::string key = std::string(node.op.name()) + " " + node.op.attributes();
    for (const Tensor& t : copy.inputs(node)) key += " %" + std::to_string(t.id());
    for (int id : node.outputs)
      key += to_string(graph.value(id).type);  // attributes may leave a shape unsaid
    const auto [first, fresh] = seen.emplace(key, &node);
    if (fresh) {
      copy.keep(node);
    } else {
      for (size_t k = 0; k < node.outputs.size(); ++k)
        copy.replace(node.outputs[k], copy[first->second->outputs[k]]);
    }
  }
  return copy.finish();
}

}  // namespace fovea
