#include "fovea/passes/fold_scale.h"

#include <algorithm>
#include <map>
#include <set>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// A layer, a permutation of its result or null, and the product with the value `scale`.
struct Scaled {
  const Node* layer = nullptr;
  const Node* permute = nullptr;
  const Node* product = nullptr;
  int scale = -1;

  std::vector<const Node*> nodes() const {
    return permute == nullptr ? std::vector{layer, product} : std::vector{layer, permute, product};
  }
};

bool has_bias(const Node& layer) {
  const auto* conv = layer.op.as<Conv>();
  return conv != nullptr ? conv->bias : layer.op.get<Linear>().bias;
}

class FoldScale {
 public:
  explicit FoldScale(const Graph& graph) : graph_(graph), uses_(graph) {
    for (const Node& node : graph.nodes()) {
      if (const auto scaled = find(node)) by_product_[&node] = *scaled;
    }
  }

  std::shared_ptr<Graph> run() {
    std::set<const Node*> inner;
    for (const auto& [product, scaled] : by_product_) inner.insert({scaled.layer, scaled.permute});
    Rewriter copy(graph_);
    for (const Node& node : graph_.nodes()) {
      if (inner.contains(&node)) continue;
      const auto found = by_product_.find(&node);
      if (found == by_product_.end()) {
        copy.keep(node);
      } else {
        copy.replace(node.outputs[0], scaled_layer(found->second, copy));
      }
    }
    return copy.finish();
  }

 private:
  const Node* maker(int id) const {
    const int node = graph_.value(id).node;
    return node < 0 ? nullptr : &graph_.node(node);
  }

  /// Whether the value is an array of the State, perhaps with another shape.
  bool is_parameter(int id) const {
    for (const Node* node = maker(id); node != nullptr; node = maker(id)) {
      if (node->op.as<Reshape>() == nullptr) return false;
      id = node->inputs[0];
    }
    return graph_.value(id).leaf == Leaf::state;
  }

  /// Whether the value has one number for each index along that axis of another, and no more.
  bool is_along(int id, const Type& other, int axis) const {
    const Shape& shape = graph_.value(id).type.shape;
    const int at = axis - (other.rank() - shape.rank());
    return at >= 0 && shape[at] == other.dim(axis) && shape.numel() == other.dim(axis);
  }

  std::optional<Scaled> find(const Node& node) const {
    const auto* product = node.op.as<BroadcastBinary>();
    if (product == nullptr || product->kind != BinaryKind::mul) return std::nullopt;
    for (const size_t side : {0u, 1u}) {
      int result = node.inputs[1 - side];
      Scaled s{.layer = maker(result), .product = &node, .scale = node.inputs[side]};
      if (s.layer == nullptr || uses_.count(result) != 1) continue;
      if (const auto* permute = s.layer->op.as<Permute>()) {
        if (permute->axes != from_last(graph_.value(result).type.rank())) continue;
        s.permute = s.layer;
        result = s.permute->inputs[0];
        s.layer = maker(result);
        if (s.layer == nullptr || uses_.count(result) != 1) continue;
      }
      const auto* conv = s.layer->op.as<Conv>();
      const auto* linear = s.layer->op.as<Linear>();
      if (conv == nullptr && linear == nullptr) continue;
      if (conv != nullptr ? !conv->epilogue.empty() : !linear->epilogue.empty()) continue;
      if (conv != nullptr && s.permute != nullptr) continue;
      const Type& y = graph_.value(node.outputs[0]).type;
      const int axis = conv != nullptr || s.permute != nullptr ? 1 : y.rank() - 1;
      if (is_parameter(s.scale) && is_along(s.scale, y, axis) && worthwhile(s, y)) return s;
    }
    return std::nullopt;
  }

  bool worthwhile(const Scaled& s, const Type& y) const {
    const DType dtype = graph_.value(s.scale).type.dtype;
    for (size_t i = 1; i < s.layer->inputs.size(); ++i) {
      if (graph_.value(s.layer->inputs[i]).type.dtype != dtype) return false;
    }
    return graph_.mode() == Mode::eval ||
           2 * graph_.value(s.layer->inputs[1]).type.numel() <= y.numel();
  }

  Tensor scaled_layer(const Scaled& s, Rewriter& copy) const {
    const Tensors results = copy.fuse(s.nodes(), [&] {
      Tensors in = copy.inputs(*s.layer);
      const Tensor vector = reshape(copy[s.scale], {in[1].dim(0)});
      Shape column{in[1].dim(0)};
      while (column.rank() < in[1].rank()) column = column.concat({1});
      in[1] = in[1] * reshape(vector, column);
      if (has_bias(*s.layer)) in[2] = in[2] * vector;
      Tensors result = copy.graph()->add(s.layer->op, in);
      return s.permute == nullptr ? result : copy.graph()->add(s.permute->op, result);
    });
    return results[0];
  }

  const Graph& graph_;
  Uses uses_;
  std::map<const Node*, Scaled> by_product_;
};

}  // namespace

std::shared_ptr<Graph> fold_scale(const Graph& graph) { return FoldScale(graph).run(); }

}  // namespace fovea
