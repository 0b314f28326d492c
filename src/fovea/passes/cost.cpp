#include "fovea/passes/cost.h"

#include <map>
#include <string_view>
#include <tuple>
#include <typeindex>

#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/norm_conv.h"

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
  // A transposed convolution is the gradient of another, but part of the net.
  const bool transposed = node.op.as<ConvBackwardData>() != nullptr && !node.origin.backward;
  if (!node.op.as<Conv>() && !node.op.as<NormConv>() && !node.op.as<Linear>() && !transposed)
    return 0;
  return static_cast<int64_t>(flops(node) / 2);
}

std::vector<OpCost> cost(const Graph& graph) {
  using Kind = std::tuple<std::string_view, std::type_index, std::string_view, bool>;
  std::vector<OpCost> costs;
  std::map<Kind, size_t> places;
  for (const Node& node : graph.nodes()) {
    const std::string_view name = node.op.name();
    const Kind kind(node.scope(), node.op.type(), name, node.origin.backward);
    const auto [place, first] = places.emplace(kind, costs.size());
    if (first) {
      costs.push_back(
          {.module = node.scope(), .op = std::string(name), .backward = node.origin.backward});
    }
    OpCost& sum = costs[place->second];
    ++sum.calls;
    sum.macs += multiply_adds(node);
    sum.flops += flops(node);
  }
  return costs;
}

}  // namespace fovea
