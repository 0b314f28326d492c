#include "fovea/train/statistics.h"

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::train {

std::shared_ptr<Graph> statistics_graph(const Graph& step) {
  Rewriter copy(step);
  const Tensor count = copy.graph()->input("count", {DType::f64, {}});
  std::vector<const Node*> norms;
  for (const Node& node : step.nodes()) {
    const auto* norm = node.op.as<BatchNorm>();
    if (norm == nullptr || step.value(node.inputs[3]).leaf != Leaf::state) {
      copy.keep(node);
      continue;
    }
    norms.push_back(&node);
    BatchNorm batch = *norm;
    batch.momentum = 1;  // the new statistics are those of the batch
    copy.replace(node, [&] { return copy.graph()->add(batch, copy.inputs(node)); });
  }
  const std::shared_ptr<Graph> graph = copy.finish();
  for (const auto& [name, id] : step.updates())
    graph->update(name, graph->read(name, step.value(id).type));
  // After all nodes of the net: passes may move a norm to where its result is used.
  for (const Node* node : norms) {
    for (const size_t i : {size_t{3}, size_t{4}}) {  // mean and variance
      const Tensor old = copy[node->inputs[i]], found = copy[node->outputs[i]];
      const Tensor n = cast(count, old.dtype());
      graph->update(step.value(node->inputs[i]).name, (found + (n - 1) * old) / n);
    }
  }
  return graph;
}

}  // namespace fovea::train
