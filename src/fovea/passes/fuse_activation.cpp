#include "fovea/passes/fuse_activation.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "fovea/ops/linear.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// An activation whose gradient is that of a product. `layer` is null if the activation is not that
/// of a linear layer, `reshape` if the product has the shape of u.
struct Activation {
  const Node* layer = nullptr;
  const Node* forward = nullptr;
  const Node* product = nullptr;
  const Node* reshape = nullptr;
  const Node* backward = nullptr;
  std::vector<const Node*> views = {};  ///< reshapes of y in the backward pass

  int u() const { return forward->inputs[0]; }
  int y() const { return forward->outputs[0]; }
};

class FuseActivation {
 public:
  explicit FuseActivation(const Graph& graph) : graph_(graph), uses_(graph), copy_(graph) {
    for (const Node& node : graph.nodes()) {
      if (node.op.as<Unary>() != nullptr && !node.origin.backward) forward_[node.inputs[0]] = &node;
    }
    for (const Node& node : graph.nodes()) {
      if (const auto found = find(node)) activations_.push_back(*found);
    }
    for (const Activation& a : activations_) {
      products_[a.product] = &a;
      gone_.insert({a.reshape, a.backward});
      gone_.insert(a.views.begin(), a.views.end());
      if (a.layer == nullptr) continue;
      layers_[a.layer] = &a;
      gone_.insert(a.forward);
    }
  }

  std::shared_ptr<Graph> run() {
    for (const Node& node : graph_.nodes()) {
      if (gone_.contains(&node)) continue;
      if (const auto layer = layers_.find(&node); layer != layers_.end()) {
        fuse_forward(*layer->second);
      } else if (const auto product = products_.find(&node); product != products_.end()) {
        fuse_backward(*product->second);
      } else {
        copy_.replace(node, [&] {
          Tensors inputs;
          for (const int id : node.inputs) {
            const auto again = node.origin.backward ? again_.find(id) : again_.end();
            inputs.push_back(again == again_.end() ? copy_[id] : again->second);
          }
          return copy_.graph()->add(node.op, inputs);
        });
      }
    }
    return copy_.finish();
  }

 private:
  const Node* maker(int id) const {
    const int node = graph_.value(id).node;
    return node < 0 ? nullptr : &graph_.node(node);
  }

  std::optional<Activation> find(const Node& node) const {
    const auto* slope = node.op.as<UnaryBackward>();
    if (slope == nullptr) return std::nullopt;
    Activation a{.backward = &node};
    const auto forward = forward_.find(node.inputs[0]);
    if (forward == forward_.end()) return std::nullopt;
    a.forward = forward->second;
    const auto& f = a.forward->op.get<Unary>();
    if (f.kind != slope->kind || f.alpha != slope->alpha) return std::nullopt;
    int dy = node.inputs[1];
    a.product = maker(dy);
    if (a.product != nullptr && a.product->op.as<Reshape>() != nullptr && uses_.count(dy) == 1) {
      a.reshape = a.product;
      dy = a.reshape->inputs[0];
      a.product = maker(dy);
    }
    if (a.product == nullptr || uses_.count(dy) != 1) return std::nullopt;
    const auto* product = a.product->op.as<MatMul>();
    if (product == nullptr || product->transpose_a || product->wide_result || product->slope)
      return std::nullopt;
    if (!find_views(a)) return std::nullopt;
    const Node* layer = maker(a.u());
    if (layer != nullptr && layer->op.as<Linear>() != nullptr &&
        layer->op.get<Linear>().epilogue.empty())
      a.layer = layer;
    return a;
  }

  /// Finds the views of y in the backward pass. False if the backward pass reads y before the
  /// product gives it again.
  bool find_views(Activation& a) const {
    std::set<int> values{a.y()};
    bool computed = false;  // the product is
    for (const Node& node : graph_.nodes()) {
      computed = computed || &node == a.product;
      const bool reads =
          std::ranges::any_of(node.inputs, [&](int id) { return values.contains(id); });
      if (!node.origin.backward || !reads) continue;
      if (node.op.as<Reshape>() != nullptr && node.inputs[0] == a.y()) {
        a.views.push_back(&node);
        values.insert(node.outputs[0]);
      } else if (!computed) {
        return false;
      }
    }
    return true;
  }

  void fuse_forward(const Activation& a) {
    Linear op = a.layer->op.get<Linear>();
    const auto& f = a.forward->op.get<Unary>();
    op.epilogue.append({.activation = f.kind, .alpha = f.alpha});
    op.sums = true;
    const Tensors results = copy_.fuse(std::array{a.layer, a.forward}, [&] {
      return copy_.graph()->add(op, copy_.inputs(*a.layer));
    });
    copy_.replace(a.y(), results[0]);
    copy_.replace(a.u(), results[1]);
  }

  void fuse_backward(const Activation& a) {
    MatMul op = a.product->op.get<MatMul>();
    const auto& f = a.forward->op.get<Unary>();
    op.slope = f.kind, op.alpha = f.alpha;
    op.value = needed_again(a.y());
    const Shape& product = graph_.value(a.product->outputs[0]).type.shape;
    const Tensors results = copy_.fuse(std::array{a.product, a.backward}, [&] {
      Tensors inputs = copy_.inputs(*a.product);
      inputs.push_back(reshape(copy_[a.u()], product));
      Tensors outputs = copy_.graph()->add(op, inputs);
      for (Tensor& output : outputs) output = reshape(output, graph_.value(a.u()).type.shape);
      return outputs;
    });
    copy_.replace(a.backward->outputs[0], results[0]);
    if (!op.value) return;
    again_[a.y()] = results[1];
    for (const Node* view : a.views)
      copy_.replace(view->outputs[0],
                    reshape(results[1], graph_.value(view->outputs[0]).type.shape));
  }

  bool needed_again(int id) const {
    return std::ranges::any_of(graph_.nodes(), [&](const Node& node) {
      return node.origin.backward && std::ranges::count(node.inputs, id) > 0;
    });
  }

  const Graph& graph_;
  Uses uses_;
  std::map<int, const Node*> forward_;  ///< the activation of a value
  std::vector<Activation> activations_;
  std::map<const Node*, const Activation*> layers_, products_;
  std::set<const Node*> gone_;
  std::map<int, Tensor> again_;  ///< values of the forward pass as the backward pass gets them
  Rewriter copy_;
};

}  // namespace

std::shared_ptr<Graph> fuse_activation(const Graph& graph) { return FuseActivation(graph).run(); }

}  // namespace fovea
