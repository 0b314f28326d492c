#include "fovea/passes/fuse_depthwise.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "fovea/ops/depthwise_block.h"
#include "fovea/passes/uses.h"

namespace fovea {
namespace {

/// The smallest number of rows of the output for each thread: of fewer, too many would be computed
/// twice.
constexpr int64_t fewest_rows = 4;

/// A depthwise convolution, and those of single pixels around it, or null.
struct DepthwiseChain {
  const Node *before = nullptr, *depthwise = nullptr, *after = nullptr;

  const Node* last() const { return after != nullptr ? after : depthwise; }
  std::vector<const Node*> nodes() const {
    std::vector<const Node*> all;
    for (const Node* node : {before, depthwise, after})
      if (node != nullptr) all.push_back(node);
    return all;
  }
};

const Conv* biased_conv(const Graph& graph, const Node* node) {
  const Conv* conv = node != nullptr ? node->op.as<Conv>() : nullptr;
  if (conv == nullptr || !conv->bias) return nullptr;
  const Type& x = graph.value(node->inputs[0]).type;
  return x.rank() == 4 && x.dtype == DType::f32 && x.numel() > 0 ? conv : nullptr;
}

bool is_depthwise(const Graph& graph, const Node& node, int threads) {
  const Conv* conv = biased_conv(graph, &node);
  if (conv == nullptr || conv->geometry.groups == 1) return false;
  const Type &x = graph.value(node.inputs[0]).type, &y = graph.value(node.outputs[0]).type;
  return conv->geometry.groups == x.dim(1) && y.dim(1) == x.dim(1) &&
         y.dim(0) * y.dim(2) >= fewest_rows * threads;
}

bool is_of_pixels(const Graph& graph, const Node* node) {
  const Conv* conv = biased_conv(graph, node);
  const auto all = [](const std::vector<int64_t>& values, int64_t value) {
    return std::ranges::all_of(values, [&](int64_t v) { return v == value; });
  };
  return conv != nullptr && conv->geometry.groups == 1 && conv->kernel == Shape{1, 1} &&
         all(conv->geometry.stride, 1) && all(conv->geometry.padding_begin, 0) &&
         all(conv->geometry.padding_end, 0);
}

/// The blocks of a graph, each under its last node.
std::map<const Node*, DepthwiseChain> find_blocks(const Graph& graph, int threads) {
  const Uses uses(graph);
  std::map<const Node*, DepthwiseChain> by_last;
  std::set<const Node*> taken;
  for (const Node& node : graph.nodes()) {
    if (!is_depthwise(graph, node, threads)) continue;
    DepthwiseChain block{.depthwise = &node};
    const int x = node.inputs[0], maker = graph.value(x).node;
    if (maker >= 0 && uses.count(x) == 1 && is_of_pixels(graph, &graph.node(maker)) &&
        graph.node(maker).op.get<Conv>().epilogue.residuals() == 0 &&
        !taken.contains(&graph.node(maker)))
      block.before = &graph.node(maker);
    const Node* next = uses.only(node.outputs[0]);
    if (is_of_pixels(graph, next) && next->inputs[0] == node.outputs[0] &&
        node.op.get<Conv>().epilogue.residuals() == 0)
      block.after = next;
    if (block.nodes().size() == 1) continue;
    for (const Node* part : block.nodes()) taken.insert(part);
    by_last[block.last()] = block;
  }
  return by_last;
}

DepthwiseBlock fused(const DepthwiseChain& block) {
  const Conv& depthwise = block.depthwise->op.get<Conv>();
  DepthwiseBlock op{.expands = block.before != nullptr,
                    .projects = block.after != nullptr,
                    .geometry = depthwise.geometry,
                    .kernel = depthwise.kernel,
                    .filtered = depthwise.epilogue};
  if (op.expands) op.expanded = block.before->op.get<Conv>().epilogue;
  if (op.projects) op.projected = block.after->op.get<Conv>().epilogue;
  return op;
}

}  // namespace

std::shared_ptr<Graph> fuse_depthwise(const Graph& graph, int threads) {
  const std::map<const Node*, DepthwiseChain> blocks = find_blocks(graph, threads);
  std::set<const Node*> inner;
  for (const auto& [last, block] : blocks) {
    for (const Node* node : block.nodes()) {
      if (node != last) inner.insert(node);
    }
  }
  Rewriter copy(graph);
  for (const Node& node : graph.nodes()) {
    if (inner.contains(&node)) continue;
    const auto found = blocks.find(&node);
    if (found == blocks.end()) {
      copy.keep(node);
      continue;
    }
    const std::vector<const Node*> nodes = found->second.nodes();
    copy.replace(node.outputs[0], copy.fuse(nodes, [&] {
      Tensors inputs{copy[nodes[0]->inputs[0]]};
      for (const Node* part : nodes) {  // all but the value that each gets from the one before
        for (size_t i = 1; i < part->inputs.size(); ++i) inputs.push_back(copy[part->inputs[i]]);
      }
      return copy.graph()->add(fused(found->second), inputs);
    })[0]);
  }
  return copy.finish();
}

}  // namespace fovea
