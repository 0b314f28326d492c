#include "fovea/passes/simplify.h"

#include <unordered_map>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// What outputs and updates depend on.
struct Needed {
  explicit Needed(const Graph& graph)
      : values(graph.values().size(), false), nodes(graph.nodes().size(), false) {
    for (const auto* list : {&graph.outputs(), &graph.updates()}) {
      for (const auto& [name, id] : *list) values[static_cast<size_t>(id)] = true;
    }
    for (size_t i = graph.nodes().size(); i-- > 0;) {
      const Node& node = graph.nodes()[i];
      for (int id : node.outputs) nodes[i] = nodes[i] || values[static_cast<size_t>(id)];
      if (!nodes[i]) continue;
      for (int id : node.inputs) values[static_cast<size_t>(id)] = true;
    }
  }

  std::vector<bool> values, nodes;
};

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

/// Where only the bias of a convolution is trained, its gradient: a sum instead of products that
/// nothing uses. Not in 16 bits, in which the sum would be rounded.
Tensor bias_alone(const Node& node, const Needed& needed, Rewriter& copy) {
  const auto* op = node.op.as<ConvBackwardWeights>();
  if (op == nullptr || !op->bias || needed.values[static_cast<size_t>(node.outputs[0])]) return {};
  const Tensor dy = copy[node.inputs[1]];
  if (dy.dtype() != accumulate_dtype(dy.dtype())) return {};
  const int64_t channels = dy.shape()[1];
  std::vector<int64_t> kept(static_cast<size_t>(dy.shape().rank()), 1);
  kept[1] = channels;
  Graph& graph = *copy.graph();
  const WithOrigin origin(graph, node.origin);
  return graph.add_one(Reshape{{channels}}, {graph.add_one(SumTo{Shape(kept)}, {dy})});
}

}  // namespace

std::shared_ptr<Graph> simplify(const Graph& graph) {
  const Needed needed(graph);
  Rewriter copy(graph);
  std::unordered_map<Computation, const Node*, HashOf> seen;  // the first node of each
  bool any_undone = false;
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!needed.nodes[i]) continue;
    const Node& node = graph.nodes()[i];
    if (const Tensor before = undone(node, copy)) {
      copy.replace(node.outputs[0], before);
      any_undone = true;
      continue;
    }
    if (const Tensor bias = bias_alone(node, needed, copy)) {
      copy.replace(node.outputs[1], bias);
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
