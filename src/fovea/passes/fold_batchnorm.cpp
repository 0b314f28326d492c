#include "fovea/passes/fold_batchnorm.h"

#include <array>
#include <map>

#include "fovea/ops/conv.h"
#include "fovea/ops/fold.h"
#include "fovea/ops/norm.h"
#include "fovea/passes/part.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// For each norm that can be folded, the convolution it follows.
std::map<const Node*, const Node*> foldable(const Graph& graph, bool gradients) {
  const Uses uses(graph);
  const PartOf always(graph, gradients ? Part::frozen : Part::all);
  std::map<const Node*, const Node*> result;
  for (const Node& node : graph.nodes()) {
    const auto* norm = node.op.as<BatchNormEval>();
    if (norm == nullptr || norm->epilogue.residual || norm->epilogue.activation) continue;
    const Value& x = graph.value(node.inputs[0]);
    if (x.node < 0 || uses.count(node.inputs[0]) != 1) continue;
    const Node& before = graph.node(x.node);
    const auto* conv = before.op.as<Conv>();
    if (conv == nullptr || !conv->epilogue.empty()) continue;
    const bool fewer = graph.value(before.inputs[1]).type.shape.numel() < x.type.shape.numel();
    if (fewer || always.contains(node)) result[&node] = &before;
  }
  return result;
}

}  // namespace

std::shared_ptr<Graph> fold_batchnorm(const Graph& graph, bool gradients) {
  const std::map<const Node*, const Node*> norms = foldable(graph, gradients);
  std::map<const Node*, bool> folded;
  for (const auto& [norm, conv] : norms) folded[conv] = true;

  Rewriter copy(graph);
  for (const Node& node : graph.nodes()) {
    if (folded.contains(&node)) continue;
    const auto found = norms.find(&node);
    if (found == norms.end()) {
      copy.keep(node);
      continue;
    }
    const Node& conv_node = *found->second;
    const Tensors folded_conv = copy.fuse(std::array{&conv_node, &node}, [&] {
      const Tensors conv_in = copy.inputs(conv_node);
      Conv conv = conv_node.op.get<Conv>();
      Tensors fold_in{conv_in[1]};  // followed by the norm's gamma, beta, mean and var
      for (size_t i = 1; i < node.inputs.size(); ++i) fold_in.push_back(copy[node.inputs[i]]);
      if (conv.bias) fold_in.push_back(conv_in[2]);
      const Tensors weights = copy.graph()->add(
          FoldBatchNorm{.eps = node.op.get<BatchNormEval>().eps, .bias = conv.bias}, fold_in);
      conv.bias = true;
      return copy.graph()->add(conv, {conv_in[0], weights[0], weights[1]});
    });
    copy.replace(node.outputs[0], folded_conv[0]);
  }
  return copy.finish();
}

}  // namespace fovea
