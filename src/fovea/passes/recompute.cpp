#include "fovea/passes/recompute.h"

#include <algorithm>
#include <limits>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/images.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/reorder.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/cost.h"
#include "fovea/passes/segments.h"

namespace fovea {
namespace {

/// Ops whose time is that of reading and writing memory, besides elementwise ones.
bool moves_memory(const Op& op) {
  const std::type_info* const types[] = {
      &typeid(BatchNorm), &typeid(LayerNorm),      &typeid(BroadcastBinary), &typeid(BroadcastTo),
      &typeid(Permute),   &typeid(Concat),         &typeid(Slice),           &typeid(Pad),
      &typeid(Reorder),   &typeid(NormalizeImages)};
  return std::ranges::any_of(types, [&](const auto* type) { return *type == op.type(); });
}

class RecomputePass {
 public:
  RecomputePass(const Graph& graph, const RecomputeOptions& options)
      : graph_(graph), options_(options), plans_(graph.values().size()), copy_(graph) {}

  std::shared_ptr<Graph> run() {
    find_needed();
    const size_t first = options_.segments ? choose_segments() : 0;
    affordable_ = options_.segments ? std::numeric_limits<double>::infinity() : affordable();
    for (size_t i = first; i < graph_.nodes().size(); ++i) {
      if (!graph_.nodes()[i].origin.backward) choose(graph_.nodes()[i]);
    }
    if (saved() < options_.min_saved && !options_.segments) plans_.assign(plans_.size(), {});
    computed_.resize(plans_.size());
    for (const Node& node : graph_.nodes()) {
      copy_.replace(node, [&] {
        Tensors inputs;
        for (const int id : node.inputs)
          inputs.push_back(node.origin.backward ? again(id) : copy_[id]);
        return copy_.add_like(node, node.op, inputs);
      });
    }
    return copy_.finish();
  }

 private:
  /// What is decided for a value of the forward pass.
  struct Plan {
    bool needed = false;     ///< by the backward pass, or until its end
    bool lasts = false;      ///< it is an output or update: kept in any case
    bool again = false;      ///< the backward pass computes it again
    bool available = false;  ///< to the backward pass, one way or the other
    int depth = 0;           ///< needed values to compute again from those that are kept
    int ops = 0;             ///< to compute it from values that are needed
  };

  Plan& plan(int id) { return plans_[static_cast<size_t>(id)]; }
  size_t bytes(int id) const { return graph_.value(id).type.bytes(); }

  void find_needed() {
    for (const Node& node : graph_.nodes()) {
      for (const int id : node.inputs) {
        if (node.origin.backward) plan(id).needed = true;
      }
    }
    for (const auto* list : {&graph_.outputs(), &graph_.updates()}) {
      for (const auto& [name, id] : *list) plan(id).lasts = plan(id).needed = true;
    }
    for (size_t id = 0; id < plans_.size(); ++id)
      plans_[id].available = plans_[id].needed || graph_.values()[id].leaf != Leaf::none;
  }

  /// The inputs that a node's first result is computed from again: without the vectors of a norm.
  static std::vector<int> sources(const Node& node) {
    if (node.op.as<BatchNorm>() == nullptr) return node.inputs;
    std::vector<int> result{node.inputs[0]};
    if (node.inputs.size() > 5) result.push_back(node.inputs[5]);
    return result;
  }

  /// Whether a result can be computed again: not the statistics of a norm, which are updates too.
  bool repeatable(const Node& node, int id) const {
    return node.op.as<BatchNorm>() == nullptr || id == node.outputs[0];
  }

  /// Decides on all segments but the last, whose first node it returns.
  size_t choose_segments() {
    const Segments segments = find_segments(graph_);
    for (size_t i = 0; i < segments.last; ++i) {
      const Node& node = graph_.nodes()[i];
      for (const int id : node.outputs) {
        Plan& result = plan(id);
        const bool worthwhile = is_view(node) || bytes(id) >= options_.min_bytes;
        result.again = segments.inside[static_cast<size_t>(id)] && worthwhile && !result.lasts &&
                       repeatable(node, id);
        result.needed = !result.again;
        result.available = true;
      }
    }
    return segments.last;
  }

  void choose(const Node& node) {
    const auto* norm = node.op.as<BatchNorm>();
    if (norm != nullptr && norm->epilogue.pool > 0) return;  // much is read for few results
    const bool view = is_view(node);
    const int id = node.outputs[0];
    Plan& result = plan(id);
    if (result.lasts || bytes(id) < options_.min_bytes) return;
    if (!moves_memory(node.op) && !node.op.traits().elementwise && !view) return;
    Plan made{.needed = result.needed, .again = true, .available = true, .ops = !view};
    for (const int source : sources(node)) {
      const Plan& from = plan(source);
      if (16 * bytes(source) <= bytes(id) && !from.again) continue;  // rather kept than missed
      if (!from.available) return;
      made.depth = std::max(made.depth, from.depth);
      if (from.again && !from.needed) made.ops += from.ops;
    }
    made.depth += made.needed && !view;
    if (made.depth > options_.depth || made.ops > options_.ops) return;
    if (made.needed && !view) {
      if (static_cast<double>(bytes(id)) > affordable_) return;
      affordable_ -= static_cast<double>(bytes(id));
    }
    result = made;
  }

  /// Bytes that the backward pass may compute again.
  double affordable() const {
    constexpr double flops_per_byte = 25;
    double flops = 0;
    for (const OpCost& ops : cost(graph_)) flops += ops.flops;
    return options_.share * flops / flops_per_byte;
  }

  /// Bytes that the backward pass needs and computes again.
  size_t saved() const {
    size_t total = 0;
    for (const Node& node : graph_.nodes()) {
      const int id = node.outputs[0];
      const Plan& made = plans_[static_cast<size_t>(id)];
      if (made.again && made.needed && !is_view(node)) total += bytes(id);
    }
    return total;
  }

  /// A value as the backward pass gets it: the one that is kept, or computed again.
  Tensor again(int id) {
    if (!plan(id).again) return copy_[id];
    Tensor& known = computed_[static_cast<size_t>(id)];
    if (known) return known;
    const Node& node = graph_.node(graph_.value(id).node);
    Origin origin = node.origin;
    origin.backward = true;
    const WithOrigin with(*copy_.graph(), std::move(origin));
    Tensors inputs;
    for (const int source : sources(node)) inputs.push_back(again(source));
    Op op = node.op;
    if (const auto* norm = node.op.as<BatchNorm>()) {
      op = BatchNormAgain{norm->epilogue};
      inputs.insert(inputs.begin() + 1,
                    {copy_[node.outputs[1]], copy_[node.outputs[5]], copy_[node.inputs[2]]});
    }
    const Tensors results = copy_.add_like(node, op, inputs);
    for (size_t i = 0; i < results.size(); ++i)
      computed_[static_cast<size_t>(node.outputs[i])] = results[i];
    return known;
  }

  const Graph& graph_;
  const RecomputeOptions& options_;
  double affordable_ = 0;         ///< bytes that are left to choose
  std::vector<Plan> plans_;       ///< by value
  std::vector<Tensor> computed_;  ///< again, by value
  Rewriter copy_;
};

}  // namespace

std::shared_ptr<Graph> recompute(const Graph& graph, const RecomputeOptions& options) {
  return RecomputePass(graph, options).run();
}

}  // namespace fovea
