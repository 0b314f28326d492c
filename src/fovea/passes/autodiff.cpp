#include "fovea/passes/autodiff.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// Which values depend on one of `from`: gradients are worth building only through those.
std::vector<bool> dependents(const Graph& graph, const Tensors& from) {
  std::vector<bool> depends(graph.values().size(), false);
  for (const Tensor& t : from) depends[static_cast<size_t>(t.id())] = true;
  for (const Node& node : graph.nodes()) {
    bool any = false;
    for (int id : node.inputs) any = any || depends[static_cast<size_t>(id)];
    for (int id : node.outputs) {  // integers, such as an argmax, do not change with a small step
      if (is_float(graph.value(id).type.dtype))
        depends[static_cast<size_t>(id)] = depends[static_cast<size_t>(id)] || any;
    }
  }
  return depends;
}

/// Adds two gradients of one value. Of a bf16 weight, some may be f32 and others bf16.
Tensor added(const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return a + b;
  return cast(a, accumulate_dtype(a.dtype())) + cast(b, accumulate_dtype(b.dtype()));
}

/// The gradient of a node's output in the form that the node needs: in the output's dtype, except
/// for casts, which pass on full precision.
Tensor taken(const Node& node, int output, const Tensor& gradient) {
  if (!gradient || node.op.as<Cast>() != nullptr) return gradient;
  return cast(gradient, node.graph->value(output).type.dtype);
}

}  // namespace

std::string gradient_name(std::string_view parameter) { return "grad:" + std::string(parameter); }

Tensors gradients(const Tensor& loss, const Tensors& wrt, const Tensor& scale,
                  const GradientRules& rules) {
  if (loss.type().numel() != 1 || !is_float(loss.dtype())) {
    throw Error(ErrorKind::usage, "gradients: the loss must be a single float")
        .with("loss", to_string(loss.type()))
        .with("try", "its mean or sum");
  }
  Graph& graph = loss.graph();
  const std::vector<bool> depends = dependents(graph, wrt);
  const int forward_nodes = static_cast<int>(graph.nodes().size());

  std::vector<Tensor> gradient(graph.values().size());
  gradient[static_cast<size_t>(loss.id())] =
      scale ? broadcast_to(scale, loss.shape())
            : graph.constant(Array::full(loss.dtype(), loss.shape(), 1));

  for (int i = forward_nodes; i-- > 0;) {
    const Node& node = graph.node(i);
    bool reached = false, wanted = false;
    for (int id : node.outputs) {
      reached = reached || gradient[static_cast<size_t>(id)];
      wanted = wanted || depends[static_cast<size_t>(id)];
    }
    if (!reached || !wanted) continue;
    const GradientRules::Rule* rule = rules.find(node.op);
    if (rule == nullptr && !node.op.traits().differentiable) {
      Error error(ErrorKind::usage, fmt::format("{} has no gradient", node.op.name()));
      if (const std::string at = graph.location(node); !at.empty()) error.with("at", at);
      throw error.with("try", "a loss that does not depend on it");
    }
    Origin origin = node.origin;
    origin.backward = true;
    const WithOrigin with(graph, std::move(origin));
    Tensors dy;
    for (int id : node.outputs) dy.push_back(taken(node, id, gradient[static_cast<size_t>(id)]));
    const Tensors dx = rule != nullptr ? (*rule)(node, dy) : node.op.gradient(node, dy);
    for (size_t k = 0; k < node.inputs.size() && k < dx.size(); ++k) {
      const auto id = static_cast<size_t>(node.inputs[k]);
      if (!dx[k] || !depends[id]) continue;
      require(
          dx[k].shape() == graph.value(node.inputs[k]).type.shape,
          fmt::format("{}: gradient {} does not have the shape of its input", node.op.name(), k));
      gradient[id] = gradient[id] ? added(gradient[id], dx[k]) : dx[k];
    }
  }

  Tensors result;
  for (const Tensor& t : wrt) result.push_back(gradient[static_cast<size_t>(t.id())]);
  return result;
}

std::shared_ptr<Graph> autodiff(const Graph& from, const std::string& loss,
                                const GradientOptions& options) {
  Rewriter copy(from);
  for (const Node& node : from.nodes()) copy.keep(node);
  std::shared_ptr<Graph> graph = copy.finish();

  Tensors parameters;
  for (size_t id = 0; id < graph->values().size(); ++id) {
    if (graph->values()[id].trainable) parameters.emplace_back(graph, static_cast<int>(id));
  }
  Tensor scale;
  if (options.scale_loss) scale = graph->read(std::string(loss_scale_name), {DType::f32, {}});
  const Tensors grads = gradients(graph->output(loss), parameters, scale, options.rules);
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i]) continue;
    const std::string name = gradient_name(graph->value(parameters[i].id()).name);
    Tensor total = grads[i];
    const WithOrigin origin(*graph, graph->origin(total));
    if (scale) total = total / scale;
    if (options.accumulate) total = graph->read(name, total.type()) + total;
    graph->update(name, total);
  }
  return graph;
}

}  // namespace fovea
