#include "fovea/passes/simplify.h"

#include <unordered_map>

#include "fovea/ops/shape_ops.h"

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

/// What a node computes: nodes with equal Computations have equal results.
struct Computation {
  Op op;
  std::vector<int> inputs;  ///< in the new graph
  Types outputs;            ///< a reorder's result depends on its output's layout

  bool operator==(const Computation&) const = default;
};

struct HashOf {
  size_t operator()(const Computation& c) const {
    size_t result = c.op.hash();
    for (int id : c.inputs) result = result * 31 + static_cast<size_t>(id);
    return result;
  }
};

/// For a cast that only undoes a lossless one: the value before both, in the new graph.
Tensor undone(const Node& node, Rewriter& copy) {
  const auto* outer = node.op.as<Cast>();
  if (outer == nullptr) return {};
  const Tensor x = copy[node.inputs[0]];
  const int producer = x.graph().value(x.id()).node;
  if (producer < 0 || x.graph().node(producer).op.as<Cast>() == nullptr) return {};
  const Tensor before = x.graph().node(producer).input(0);
  const bool lossless = is_float(before.dtype()) && is_float(x.dtype()) &&
                        size_of(x.dtype()) > size_of(before.dtype());
  return lossless && before.dtype() == outer->dtype ? before : Tensor{};
}

}  // namespace

std::shared_ptr<Graph> simplify(const Graph& graph) {
  const std::vector<bool> needed = needed_nodes(graph);
  Rewriter copy(graph);
  std::unordered_map<Computation, const Node*, HashOf> seen;  // the first node of each
  bool any_undone = false;
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!needed[i]) continue;
    const Node& node = graph.nodes()[i];
    if (const Tensor before = undone(node, copy)) {
      copy.replace(node.outputs[0], before);
      any_undone = true;
      continue;
    }
    Computation computation{node.op, {}, {}};
    for (const Tensor& t : copy.inputs(node)) computation.inputs.push_back(t.id());
    for (int id : node.outputs) computation.outputs.push_back(graph.value(id).type);
    const auto [first, fresh] = seen.emplace(std::move(computation), &node);
    if (fresh) {
      copy.keep(node);
    } else {
      copy.merge(node, *first->second);
    }
  }
  const std::shared_ptr<Graph> simpler = copy.finish();
  return any_undone ? simplify(*simpler) : simpler;  // the first of two casts may be unused now
}

}  // namespace fovea
