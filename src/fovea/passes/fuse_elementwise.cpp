#include "fovea/passes/fuse_elementwise.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/fused.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

size_t index(int i) { return static_cast<size_t>(i); }

/// The node that computes a value, or null.
const Node* maker(const Graph& graph, int id) {
  const int node = graph.value(id).node;
  return node < 0 ? nullptr : &graph.node(node);
}

std::optional<BinaryKind> binary_kind(const Node& node) {
  if (const auto* op = node.op.as<Binary>()) return op->kind;
  if (const auto* op = node.op.as<BroadcastBinary>()) return op->kind;
  return std::nullopt;
}

/// Whether a FusedElementwise can compute the node.
bool fusable(const Graph& graph, const Node& node) {
  if (!binary_kind(node) && node.op.as<Unary>() == nullptr && node.op.as<Affine>() == nullptr)
    return false;
  const Type& out = graph.value(node.outputs[0]).type;
  if (out.dtype != DType::f32 && out.dtype != DType::f64) return false;
  return std::ranges::all_of(node.inputs, [&](int id) {
    const Type& in = graph.value(id).type;
    return in.numel() == 1 || in.shape == out.shape;
  });
}

/// Which nodes are computed together: every node is in one group, most of them alone. A node joins
/// the groups of those of its inputs that can be fused with it and have its type, unless another
/// path leads from there to it through other groups, which would have to run in the middle.
class Groups {
 public:
  explicit Groups(const Graph& graph) : graph_(graph), visited_(graph.nodes().size(), 0) {
    for (size_t i = 0; i < graph.nodes().size(); ++i) {
      const Node& node = graph.nodes()[i];
      const auto number = static_cast<int>(i);
      group_of_.push_back(number);
      nodes_.push_back({number});
      for (int id : node.inputs) {
        if (alike(node, id) && !other_path(of(graph.value(id).node), of(number)))
          join(of(graph.value(id).node), of(number));
      }
    }
  }

  int of(int node) const { return group_of_[index(node)]; }
  /// The nodes of a group, in graph order.
  const std::vector<int>& nodes(int group) const { return nodes_[index(group)]; }

 private:
  /// Whether an input of the node comes from one that can be fused with it.
  bool alike(const Node& node, int input) const {
    const Node* from = maker(graph_, input);
    return from != nullptr && fusable(graph_, node) && fusable(graph_, *from) &&
           graph_.value(input).type == graph_.value(node.outputs[0]).type;
  }

  /// Calls body with each other group whose values this one uses.
  template <class Body>
  void for_each_source(int group, const Body& body) const {
    for (int i : nodes(group)) {
      for (int id : graph_.node(i).inputs) {
        const int from = graph_.value(id).node;
        if (from >= 0 && of(from) != group) body(of(from));
      }
    }
  }

  /// Whether group b depends on group a through a third one.
  bool other_path(int a, int b) {
    ++visit_;
    std::vector<int> open;
    const auto add = [&](int group) {
      const bool may_depend = nodes(group).back() > nodes(a).front();
      if (!may_depend || visited_[index(group)] == visit_) return;
      visited_[index(group)] = visit_;
      open.push_back(group);
    };
    for_each_source(b, [&](int group) {
      if (group != a) add(group);
    });
    bool found = false;
    while (!open.empty() && !found) {
      const int group = open.back();
      open.pop_back();
      for_each_source(group, [&](int source) {
        found = found || source == a;
        add(source);
      });
    }
    return found;
  }

  void join(int to, int from) {
    if (to == from) return;
    for (int node : nodes_[index(from)]) {
      group_of_[index(node)] = to;
      nodes_[index(to)].push_back(node);
    }
    nodes_[index(from)].clear();
    std::ranges::sort(nodes_[index(to)]);
  }

  const Graph& graph_;
  std::vector<int> group_of_;
  std::vector<std::vector<int>> nodes_;
  std::vector<int> visited_;  // of each group: the last search that visited it
  int visit_ = 0;
};

/// Translates one group into a program.
class Translation {
 public:
  Translation(const Graph& graph, const std::vector<int>& nodes, const Uses& uses)
      : graph_(graph), nodes_(nodes), uses_(uses) {
    op.dtype = graph.value(graph.node(nodes[0]).outputs[0]).type.dtype;
    for (int i : nodes) find_product(graph.node(i));
    for (int i : nodes) collect_inputs(graph.node(i));
    op.inputs = static_cast<int64_t>(inputs.size());
    for (int i : nodes) translate(graph.node(i));
    find_results();
  }

  FusedElementwise op;
  std::vector<int> inputs, outputs;  ///< values of the graph

 private:
  bool inside(int id) const {
    const int node = graph_.value(id).node;
    return node >= 0 && std::ranges::binary_search(nodes_, node);
  }

  /// Whether the value is a product that may become part of the sum that uses it.
  bool is_product(int id) const {
    if (!inside(id) || uses_.count(id) != 1 || product_of_.contains(id)) return false;
    const Node& node = *maker(graph_, id);
    const auto* affine = node.op.as<Affine>();
    return binary_kind(node) == BinaryKind::mul || (affine != nullptr && affine->shift == 0);
  }

  /// Fuses one of its products into a sum.
  void find_product(const Node& node) {
    std::vector<int> candidates;  // the first product among them is fused
    const auto* affine = node.op.as<Affine>();
    if (binary_kind(node) == BinaryKind::add) candidates = {node.inputs[0], node.inputs[1]};
    if (binary_kind(node) == BinaryKind::sub) candidates = {node.inputs[1], node.inputs[0]};
    if (affine != nullptr && affine->scale == 1) candidates = {node.inputs[0]};
    const auto taken = std::ranges::find_if(candidates, [&](int id) { return is_product(id); });
    if (taken != candidates.end()) product_of_[node.outputs[0]] = *taken;
  }

  /// What is read instead of an outside value: a scalar as it was before casts.
  int source(int id) const {
    const Node* from = maker(graph_, id);
    const bool cast_scalar = from != nullptr && from->op.as<Cast>() != nullptr &&
                             graph_.value(id).type.numel() == 1 &&
                             graph_.value(id).type.dtype == op.dtype &&
                             is_float(graph_.value(from->inputs[0]).type.dtype);
    return cast_scalar ? from->inputs[0] : id;
  }

  void collect_inputs(const Node& node) {
    for (int id : node.inputs) {
      if (!inside(id) && std::ranges::count(inputs, source(id)) == 0) inputs.push_back(source(id));
    }
  }

  int64_t operand(int id) const {
    if (inside(id)) return result_.at(id);
    return std::ranges::find(inputs, source(id)) - inputs.begin();
  }

  int64_t constant(double value) {
    const auto same = [&](double known) {
      return std::bit_cast<uint64_t>(known) == std::bit_cast<uint64_t>(value);
    };
    const auto found = std::ranges::find_if(op.constants, same);
    const int64_t k = found - op.constants.begin();
    if (found == op.constants.end()) op.constants.push_back(value);
    return FusedElementwise::constant(k);
  }

  /// The two factors of a product.
  std::pair<int64_t, int64_t> factors(const Node& node) {
    const int64_t first = operand(node.inputs[0]);
    const auto* affine = node.op.as<Affine>();
    return {first, affine != nullptr ? constant(affine->scale) : operand(node.inputs[1])};
  }

  void translate(const Node& node) {
    const int id = node.outputs[0];
    const auto taken = [id](const auto& entry) { return entry.second == id; };
    if (std::ranges::any_of(product_of_, taken)) return;  // computed with its sum
    op.append(instruction(node));
    result_[id] = op.inputs + made_++;
  }

  FusedInstruction instruction(const Node& node) {
    if (const auto found = product_of_.find(node.outputs[0]); found != product_of_.end())
      return sum(node, found->second);
    if (const auto kind = binary_kind(node))
      return {static_cast<FusedKind>(*kind), operand(node.inputs[0]), operand(node.inputs[1])};
    const int64_t x = operand(node.inputs[0]);
    if (const auto* unary = node.op.as<Unary>())
      return {FusedKind::unary, x, static_cast<int64_t>(unary->kind), constant(unary->alpha)};
    const Affine& affine = node.op.get<Affine>();
    if (affine.shift == 0) return {FusedKind::mul, x, constant(affine.scale)};
    if (affine.scale == 1) return {FusedKind::add, x, constant(affine.shift)};
    return {FusedKind::mul_add, x, constant(affine.scale), constant(affine.shift)};
  }

  /// A sum or difference together with one of its products.
  FusedInstruction sum(const Node& node, int product) {
    const auto [a, b] = factors(*maker(graph_, product));
    if (const auto* affine = node.op.as<Affine>())
      return {FusedKind::mul_add, a, b, constant(affine->shift)};
    const bool first = node.inputs[0] == product;
    const int64_t c = operand(node.inputs[first ? 1 : 0]);
    if (binary_kind(node) == BinaryKind::add) return {FusedKind::mul_add, a, b, c};
    return {first ? FusedKind::mul_sub : FusedKind::negative_mul_add, a, b, c};
  }

  /// Finds the values that are needed outside.
  void find_results() {
    std::map<int, int> uses_inside;
    for (int i : nodes_) {
      for (int id : graph_.node(i).inputs) ++uses_inside[id];
    }
    for (int i : nodes_) {
      const int id = graph_.node(i).outputs[0];
      if (uses_.count(id) == uses_inside[id]) continue;
      outputs.push_back(id);
      op.results.push_back(result_.at(id));
    }
  }

  const Graph& graph_;
  const std::vector<int>& nodes_;
  const Uses& uses_;
  std::map<int, int> product_of_;  ///< from a sum's value to the product fused into it
  std::map<int, int64_t> result_;  ///< from a value to its operand
  int64_t made_ = 0;               ///< instructions
};

}  // namespace

std::shared_ptr<Graph> fuse_elementwise(const Graph& graph) {
  const Groups groups(graph);
  const Uses uses(graph);
  Rewriter copy(graph);
  std::vector<bool> done(graph.nodes().size(), false);  // of groups

  const auto fuse = [&](const std::vector<int>& nodes) {
    const Translation program(graph, nodes, uses);
    std::vector<const Node*> parts;
    for (int i : nodes) parts.push_back(&graph.node(i));
    const Tensors results = copy.fuse(parts, [&] {
      Tensors inputs;
      for (int id : program.inputs) inputs.push_back(copy[id]);
      return copy.graph()->add(program.op, inputs);
    });
    for (size_t k = 0; k < results.size(); ++k) copy.replace(program.outputs[k], results[k]);
  };
  // Groups follow those that they need, some of which may end after this one begins.
  const std::function<void(int)> emit = [&](int group) {
    if (done[index(group)]) return;
    done[index(group)] = true;
    const std::vector<int>& nodes = groups.nodes(group);
    for (int i : nodes) {
      for (int id : graph.node(i).inputs) {
        if (graph.value(id).node >= 0) emit(groups.of(graph.value(id).node));
      }
    }
    nodes.size() > 1 ? fuse(nodes) : copy.keep(graph.node(nodes[0]));
  };
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const int group = groups.of(static_cast<int>(i));
    if (groups.nodes(group).back() == static_cast<int>(i)) emit(group);
  }
  return copy.finish();
}

}  // namespace fovea
