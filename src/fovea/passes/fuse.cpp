#include "fovea/passes/fuse.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// A head and the nodes after it that become one with it: the only use of each result but the
/// last is the next node.
struct Chain {
  const Node* head = nullptr;
  std::vector<const Node*> rest = {};
  std::vector<int> residuals = {};  ///< the other input of each add, in order

  const Node* last() const { return rest.empty() ? head : rest.back(); }
  int result() const { return last()->outputs[0]; }
  std::vector<const Node*> nodes() const {
    std::vector<const Node*> all{head};
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  }
};

const Unary* unary_of(const Node& node) { return node.op.as<Unary>(); }

/// The side of a max-pool's windows if they are square and tile its input, else 0.
int64_t tiled_side(const Graph& graph, const Node& node) {
  const auto* pool = node.op.as<MaxPool>();
  const Type& x = graph.value(node.inputs[0]).type;
  if (pool == nullptr || !tiles(x, pool->kernel[0])) return 0;
  const auto all = [](const std::vector<int64_t>& sizes, int64_t wanted) {
    return std::ranges::all_of(sizes, [=](int64_t size) { return size == wanted; });
  };
  const int64_t side = pool->kernel[0];
  const bool square = all(pool->kernel, side) && all(pool->stride, side) &&
                      all(pool->padding_begin, 0) && all(pool->padding_end, 0) &&
                      all(pool->dilation, 1);
  return square ? side : 0;
}

bool is_add(const Node& node) {
  const auto* binary = node.op.as<Binary>();
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

/// What a kind of fusion takes.
struct Fusion {
  std::function<bool(const Node&)> is_head;
  /// Whether the node may be next in the chain.
  std::function<bool(const Chain&, const Node& next)> takes;
  std::function<Op(const Chain&)> fused;
};

/// The chains in a graph, each under its last node. An add of two heads belongs to the later one:
/// by then the other is computed.
std::map<const Node*, Chain> find_chains(const Graph& graph, const Fusion& fusion) {
  const Uses uses(graph);
  std::map<const Node*, Chain> by_last;
  std::set<const Node*> taken;
  for (int i = static_cast<int>(graph.nodes().size()) - 1; i >= 0; --i) {
    const Node& node = graph.node(i);
    if (!fusion.is_head(node)) continue;
    Chain chain{.head = &node};
    while (const Node* next = uses.only(chain.result())) {
      if (taken.contains(next) || !fusion.takes(chain, *next)) break;
      if (is_add(*next))
        chain.residuals.push_back(next->inputs[next->inputs[0] == chain.result() ? 1 : 0]);
      chain.rest.push_back(next);
    }
    if (chain.rest.empty() || used_in_between(graph, i, chain)) continue;
    taken.insert(chain.rest.begin(), chain.rest.end());
    by_last[chain.last()] = chain;
  }
  return by_last;
}

/// Rewrites each chain as one node at the chain's end, since residuals may be computed in between.
std::shared_ptr<Graph> fuse(const Graph& graph, const Fusion& fusion) {
  const std::map<const Node*, Chain> chains = find_chains(graph, fusion);
  std::set<const Node*> inner;
  for (const auto& [last, chain] : chains) {
    for (const Node* node : chain.nodes()) {
      if (node != last) inner.insert(node);
    }
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
      for (const int residual : chain.residuals) inputs.push_back(copy[residual]);
      return copy.graph()->add(fusion.fused(chain), inputs);
    });
    copy.replace(node.outputs[0], results[0]);
    for (size_t i = 1; i < results.size(); ++i) copy.replace(chain.head->outputs[i], results[i]);
  }
  return copy.finish();
}

const Epilogue* epilogue_of(const Op& op) {
  if (const auto* conv = op.as<Conv>()) return &conv->epilogue;
  if (const auto* linear = op.as<Linear>()) return &linear->epilogue;
  return nullptr;
}

/// The permutation of a linear layer's result that an add takes as this input, if its channels come
/// from the last axis and nothing else uses them.
const Node* permuted_layer(const Graph& graph, const Uses& uses, int id) {
  const auto maker = [&](int value) {
    const int node = graph.value(value).node;
    return node < 0 || uses.count(value) != 1 ? nullptr : &graph.node(node);
  };
  const Node* node = maker(id);
  const auto* permute = node != nullptr ? node->op.as<Permute>() : nullptr;
  if (permute == nullptr || permute->axes != from_last(graph.value(id).type.rank())) return nullptr;
  const Node* layer = maker(node->inputs[0]);
  return layer != nullptr && layer->op.as<Linear>() != nullptr ? node : nullptr;
}

std::shared_ptr<Graph> add_before_permute(const Graph& graph, Part part) {
  const Uses uses(graph);
  const PartOf nodes(graph, part);
  std::map<const Node*, std::pair<const Node*, int>> adds;  // the permutation, the other input
  std::set<const Node*> moved;
  for (const Node& node : graph.nodes()) {
    for (const size_t side : {1u, 0u}) {
      if (!is_add(node) || adds.contains(&node) || !nodes.contains(node)) continue;
      if (const Node* permute = permuted_layer(graph, uses, node.inputs[side])) {
        adds[&node] = {permute, node.inputs[1 - side]};
        moved.insert(permute);
      }
    }
  }
  Rewriter copy(graph);
  for (const Node& node : graph.nodes()) {
    if (moved.contains(&node)) continue;
    const auto found = adds.find(&node);
    if (found == adds.end()) {
      copy.keep(node);
      continue;
    }
    const auto& [moving, other] = found->second;
    const Tensors sums = copy.fuse(std::array{moving, &node}, [&, &from = moving, &id = other] {
      const Tensor x = copy[id], y = copy[from->inputs[0]];
      return Tensors{permute(y + permute(x, to_last(x.rank())), from_last(x.rank()))};
    });
    copy.replace(node.outputs[0], sums[0]);
  }
  return copy.finish();
}

}  // namespace

std::shared_ptr<Graph> fuse_norm(const Graph& graph) {
  const auto takes = [&](const Chain& chain, const Node& next) {
    const Node& last = *chain.last();
    if (last.op.as<MaxPool>() != nullptr) return false;
    if (tiled_side(graph, next) > 0) return chain.residuals.empty();
    if (is_add(next)) return chain.rest.empty();
    const bool activation = unary_of(next) != nullptr && follows_norm(unary_of(next)->kind);
    return activation && (chain.rest.empty() || is_add(last));
  };
  const auto fused = [&](const Chain& chain) -> Op {
    BatchNorm norm = chain.head->op.get<BatchNorm>();
    norm.epilogue.residual = !chain.residuals.empty();
    for (const Node* node : chain.rest) {
      if (const Unary* unary = unary_of(*node)) {
        norm.epilogue.activation = unary->kind;
        norm.epilogue.alpha = unary->alpha;
      }
      norm.epilogue.pool = tiled_side(graph, *node);
    }
    return norm;
  };
  const auto is_head = [](const Node& node) {
    const auto* norm = node.op.as<BatchNorm>();
    return norm != nullptr && !norm->epilogue.residual && !norm->epilogue.selects();
  };
  return fuse(graph, {is_head, takes, fused});
}

std::shared_ptr<Graph> fuse_epilogue(const Graph& graph, Part part) {
  constexpr size_t maximum = 4;  // steps
  const std::shared_ptr<Graph> moved = add_before_permute(graph, part);
  const PartOf nodes(*moved, part);
  return fuse(*moved, {.is_head =
                           [](const Node& node) {
                             const Epilogue* epilogue = epilogue_of(node.op);
                             return epilogue != nullptr && epilogue->empty();
                           },
                       .takes =
                           [&](const Chain& chain, const Node& next) {
                             const bool activation = unary_of(next) != nullptr &&
                                                     unary_of(next)->kind <= UnaryKind::hardswish;
                             return chain.rest.size() < maximum && (is_add(next) || activation) &&
                                    nodes.contains(next);
                           },
                       .fused = [](const Chain& chain) -> Op {
                         Epilogue epilogue;
                         for (const Node* node : chain.rest) {
                           EpilogueStep step;
                           if (const Unary* unary = unary_of(*node))
                             step = {.activation = unary->kind, .alpha = unary->alpha};
                           epilogue.append(step);
                         }
                         if (const auto* conv = chain.head->op.as<Conv>()) {
                           Conv op = *conv;
                           op.epilogue = epilogue;
                           return op;
                         }
                         Linear op = chain.head->op.get<Linear>();
                         op.epilogue = epilogue;
                         return op;
                       }});
}

}  // namespace fovea
