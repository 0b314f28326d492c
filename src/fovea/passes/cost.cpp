#include "fovea/passes/cost.h"

#include <algorithm>

#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"

namespace fovea {
namespace {

double flops(const Node& node) {
  const auto types = [&](const std::vector<int>& ids) {
    Types result;
    for (int id : ids) result.push_back(node.graph->value(id).type);
    return result;
  };
  return node.op.flops(types(node.inputs), types(node.outputs));
}

}  // namespace

int64_t multiply_adds(const Node& node) {
  if (!node.op.as<Conv>() && !node.op.as<Linear>()) return 0;
  return static_cast<int64_t>(flops(node) / 2);
}

std::vector<OpCost> cost(const Graph& graph) {
  std::vector<OpCost> costs;
  for (const Node& node : graph.nodes()) {
    auto known = std::find_if(costs.begin(), costs.end(),
                              [&](const OpCost& c) { return c.op == node.op.name(); });
    if (known == costs.end()) {
      known = costs.insert(costs.end(), OpCost{.op = std::string(node.op.name())});
    }
    ++known->calls;
    known->macs += multiply_adds(node);
    known->flops += flops(node);
  }
  return costs;
}

}  // namespace fovea
