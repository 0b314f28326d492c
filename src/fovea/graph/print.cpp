#include "fovea/graph/print.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"

namespace fovea {
namespace {

std::string id_text(int id) { return fmt::format("%{}", id); }

std::string leaf_text(const Value& value) {
  switch (value.leaf) {
    case Leaf::input:
      return "input " + value.name;
    case Leaf::state:
      return (value.trainable ? "parameter " : "state ") + value.name;
    case Leaf::constant:
      return "constant";
    case Leaf::none:
      break;
  }
  return "?";
}

/// "   # conv1 + bn1 (backward)".
std::string origin_text(const Graph& graph, const Origin& origin) {
  std::string text = calls_text(graph, origin);
  if (origin.backward) text += text.empty() ? "(backward)" : " (backward)";
  return text.empty() ? "" : "   # " + text;
}

}  // namespace

std::string calls_text(const Graph& graph, const Origin& origin) {
  std::vector<std::string> paths;
  const auto add = [&](int call) {
    if (call >= 0 && !graph.call(call).path.empty()) paths.push_back(graph.call(call).path);
  };
  add(origin.call);
  std::ranges::for_each(origin.fused, add);
  return join(paths, " + ");
}

std::string print(const Graph& graph) {
  std::string text =
      fmt::format("graph {}{}{}{})\n", graph.title(), graph.title().empty() ? "(" : " (",
                  graph.mode() == Mode::train ? "train, " : "eval, ", name(graph.dtype()));
  for (size_t id = 0; id < graph.values().size(); ++id) {
    const Value& value = graph.values()[id];
    if (value.leaf == Leaf::none) continue;
    text += fmt::format("  {} = {}: {}\n", id_text(static_cast<int>(id)), leaf_text(value),
                        to_string(value.type));
  }
  for (const Node& node : graph.nodes()) {
    std::string left, right, types;
    for (int id : node.outputs) {
      left += (left.empty() ? "" : ", ") + id_text(id);
      types += (types.empty() ? "" : ", ") + to_string(graph.value(id).type);
    }
    for (int id : node.inputs) right += (right.empty() ? "" : ", ") + id_text(id);
    const std::string attributes = node.op.attributes();
    text += fmt::format("  {} = {}({}){}: {}{}\n", left, node.op.name(), right,
                        attributes.empty() ? "" : " " + attributes, types,
                        origin_text(graph, node.origin));
  }
  for (const auto& [name, id] : graph.outputs())
    text += fmt::format("  output {} = {}\n", name, id_text(id));
  for (const auto& [name, id] : graph.updates())
    text += fmt::format("  update {} = {}\n", name, id_text(id));
  return text;
}

}  // namespace fovea
