#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>

#include "fovea/graph/graph.h"

namespace fovea {

/// The State array that holds a parameter's gradient: "grad:" followed by the parameter's name.
std::string gradient_name(std::string_view parameter);

/// The State array, f32 and a scalar, that GradientOptions::scale_loss reads.
inline constexpr std::string_view loss_scale_name = "loss_scale";

/// Gradients that replace those of ops, by the op's type: for methods that change how a signal
/// flows back, such as guided backpropagation. A rule has the contract of the op's own `gradient`,
/// which it may call: `node.op.gradient(node, dy)`. It also makes an op differentiable that is not.
///
///     GradientRules rules;
///     rules.replace<Unary>([](const Node& node, const Tensors& dy) {   // gradients never negative
///       return node.op.gradient(node, {relu(dy[0])});
///     });
///     gradients(score, {x}, {}, rules);
class GradientRules {
 public:
  using Rule = std::function<Tensors(const Node& node, const Tensors& dy)>;

  /// From now on `rule` is the gradient of every node whose op is a T.
  template <class T>
  GradientRules& replace(Rule rule) {
    rules_[typeid(T)] = std::move(rule);
    return *this;
  }
  /// The rule for this op, null if it keeps its own.
  const Rule* find(const Op& op) const {
    const auto found = rules_.find(op.type());
    return found == rules_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::type_index, Rule> rules_;
};

struct GradientOptions {
  /// Add to the gradients in the State, for batches larger than memory; else replace them.
  bool accumulate = false;
  /// Differentiate the loss times the State's "loss_scale", so that gradients of f16 values do not
  /// vanish, and divide the gradients of the parameters by it again, in f32: see optim::LossScaler.
  bool scale_loss = false;
  /// Replaces gradients of ops, as they are in the graph: earlier passes may have fused some.
  GradientRules rules = {};
};

/// Reverse-mode differentiation as a pass: the graph with, for each trainable State array p that
/// the scalar output `loss` depends on, an update of "grad:p" by d loss / d p. Visits the nodes in
/// reverse order; each op's `gradient` adds ops to the graph, and gradients of a value used several
/// times are added. Errors: usage when there is no such output or it is not a scalar of a float
/// type.
std::shared_ptr<Graph> autodiff(const Graph& graph, const std::string& loss,
                                const GradientOptions& options = {});

/// Gradients of the scalar `loss`, times `scale` if there is one, for each of `wrt`, as Tensors of
/// the same graph: no value where the loss does not depend on one. Each has its value's dtype, or
/// f32 for bf16 weights. `rules` replace gradients of ops. For inspecting a model (Grad-CAM,
/// receptive fields). Errors: usage when loss is not a scalar.
Tensors gradients(const Tensor& loss, const Tensors& wrt, const Tensor& scale = {},
                  const GradientRules& rules = {});

}  // namespace fovea
