#include "fovea/passes/fuse.h"

#include <algorithm>
#include <map>
#include <span>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// head -> [add] -> [relu], where the only use of each result is the next node.
struct Chain {
  const Node* head = nullptr;
  const Node* add = nullptr;
  const Node* relu = nullptr;
  int residual = -1;  ///< the add's other input

  const Node* last() const { return relu != nullptr ? relu : add; }
  std::vector<const Node*> nodes() const {
    std::vector<const Node*> all{head, add, relu};
    std::erase(all, nullptr);
    return all;
  }
};

bool is_relu(const Node* node) {
  const auto* unary = node == nullptr ? nullptr : node->op.as<Unary>();
  return unary != nullptr && unary->kind == UnaryKind::relu;
}

bool is_add(const Node* node) {
  const auto* binary = node == nullptr ? nullptr : node->op.as<Binary>();
  return binary != nullptr && binary->kind == BinaryKind::add;
}

/// Whether a result of the head other than its first is used before the end of the chain, where the
/// fused node computes it. `index` is the head's.
bool used_in_between(const Graph& graph, int index, const Chain& chain) {
  const std::span others = std::span(chain.head->outputs).subspan(1);
  for (int i = index + 1; &graph.node(i) != chain.last(); ++i) {
    for (int id : graph.node(i).inputs) {
      if (std::ranges::count(others, id) > 0) return true;
    }
  }
  return false;
}

/// The chains in a graph, each under its last node. An add of two heads belongs to the later one:
/// by then the other is computed.
std::map<const Node*, Chain> find_chains(const Graph& graph,
                                         const std::function<bool(const Node&)>& is_head) {
  const Uses uses(graph);
  std::map<const Node*, Chain> by_last;
  for (int i = 0; i < std::ssize(graph.nodes()); ++i) {
    const Node& node = graph.node(i);
    if (!is_head(node)) continue;
    Chain chain{.head = &node};
    const Node* next = uses.only(node.outputs[0]);
    if (is_add(next)) {
      chain.add = next;
      chain.residual = next->inputs[next->inputs[0] == node.outputs[0] ? 1 : 0];
      next = uses.only(next->outputs[0]);
    }
    if (is_relu(next)) chain.relu = next;
    if (chain.last() == nullptr || used_in_between(graph, i, chain)) continue;
    by_last[chain.last()] = chain;  // heads are in order, so a later one replaces an earlier one
  }
  return by_last;
}

/// Rewrites each chain as one node at the chain's end, since the residual may be computed in
/// between.
std::shared_ptr<Graph> fuse(
    const Graph& graph, const std::function<bool(const Node&)>& is_head,
    const std::function<Op(const Node& head, bool residual, bool relu)>& fused) {
  const std::map<const Node*, Chain> chains = find_chains(graph, is_head);
  std::map<const Node*, bool> inner;
  for (const auto& [last, chain] : chains) {
    inner[chain.head] = true;
    if (chain.add != nullptr && chain.add != last) inner[chain.add] = true;
  }
  Rewriter copy(graph);
  for (const Node& node : graph.nodes()) {
    if (inner.contains(&node)) continue;
    const auto found = chains.find(&node);
    if (found == chains.end()) {
      copy.keep(node);
      continue;
    }
    const Chain& chain = found->second;
    const Tensors results = copy.fuse(chain.nodes(), [&] {
      Tensors inputs = copy.inputs(*chain.head);
      if (chain.residual >= 0) inputs.push_back(copy[chain.residual]);
      return copy.graph()->add(fused(*chain.head, chain.residual >= 0, chain.relu != nullptr),
                               inputs);
    });
    copy.replace(node.outputs[0], results[0]);
    for (size_t i = 1; i < results.size(); ++i) copy.replace(chain.head->outputs[i], results[i]);
  }
  return copy.finish();
}

}  // namespace

std::shared_ptr<Graph> fuse_norm(const Graph& graph) {
  const auto head = [](const Node& node) {
    const auto* norm = node.op.as<BatchNorm>();
    return norm != nullptr && !norm->residual && !norm->relu;
  };
  return fuse(graph, head, [](const Node& node, bool residual, bool relu) -> Op {
    BatchNorm norm = node.op.get<BatchNorm>();
    norm.residual = residual;
    norm.relu = relu;
    return norm;
  });
}

std::shared_ptr<Graph> fuse_conv(const Graph& graph) {
  const auto head = [](const Node& node) {
    const auto* conv = node.op.as<Conv>();
    return conv != nullptr && !conv->residual && !conv->relu;
  };
  return fuse(graph, head, [](const Node& node, bool residual, bool relu) -> Op {
    Conv conv = node.op.get<Conv>();
    conv.residual = residual;
    conv.relu = relu;
    return conv;
  });
}

}  // namespace fovea
