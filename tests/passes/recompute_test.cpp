#include "fovea/passes/recompute.h"

#include <set>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/norm.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/cost.h"
#include "fovea/passes/fuse.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

/// The names of the forward ops whose results the backward pass reads.
std::set<std::string> kept(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    for (const int id : node.inputs) {
      const int from = node.origin.backward ? graph.value(id).node : -1;
      if (from < 0 || graph.value(id).slot > 0 || graph.node(from).origin.backward) continue;
      names.emplace(graph.node(from).op.name());
    }
  }
  return names;
}

TEST(Recompute, KeepsOnlyWhatConvolutionsComputed) {
  const auto graph = make(Mode::train);
  Tensor y = conv_layer(image(*graph), "stem");
  for (const char* name : {"a", "b", "c"})
    y = relu(norm_layer(conv_layer(y, name), std::string(name) + "n"));
  graph->output("loss", sum(y));
  const auto derived = autodiff(*fuse_norm(*graph), "loss");
  EXPECT_EQ(kept(*derived), (std::set<std::string>{"batch_norm", "conv"}));
  const auto again = recompute(*derived, everything);
  EXPECT_EQ(kept(*again), std::set<std::string>{"conv"});
  EXPECT_EQ(count(*again, "batch_norm_again"), 2);
  EXPECT_TRUE(same_results(*derived, *again));
  EXPECT_EQ(kept(*recompute(*derived)), kept(*derived));  // small values are kept
}

TEST(Recompute, CostsNoMoreThanItsShareOfTheStep) {
  const auto graph = make(Mode::train);
  Tensor y = conv_layer(image(*graph), "stem");
  for (const char* name : {"a", "b", "c", "d", "e"})
    y = relu(norm_layer(conv_layer(y, name), std::string(name) + "n"));
  graph->output("loss", sum(y));
  const auto derived = autodiff(*fuse_norm(*graph), "loss");
  double flops = 0, bytes = 0;
  for (const OpCost& ops : cost(*derived)) flops += ops.flops;
  for (const Node& node : derived->nodes()) {
    if (node.op.name() == "batch_norm")
      bytes = static_cast<double>(derived->value(node.outputs[0]).type.bytes());
  }
  RecomputeOptions options = everything;
  for (const int affordable : {0, 1, 3, 4, 9}) {
    options.share = (affordable + 0.5) * bytes * 25 / flops;
    const auto again = recompute(*derived, options);
    EXPECT_EQ(count(*again, "batch_norm_again"), std::min(affordable, 4)) << affordable;
    EXPECT_TRUE(same_results(*derived, *again));
  }
}

TEST(Recompute, KeepsOneOfAFewResultsOfResidualBlocks) {
  const auto graph = make(Mode::train);
  Tensor y = conv_layer(image(*graph), "stem");
  for (int i = 0; i < 9; ++i) {
    const std::string name = "block" + std::to_string(i);
    y = norm_layer(conv_layer(y, name), name + ".bn") + y;
  }
  graph->output("loss", sum(y * y));
  const auto derived = autodiff(*fuse_norm(*graph), "loss");
  for (const int depth : {0, 1, 2, 8}) {
    const auto again = recompute(
        *derived, {.depth = depth, .min_bytes = 0, .min_saved = 0, .share = everything.share});
    std::set<int> results;  // that the backward pass reads
    for (const Node& node : again->nodes()) {
      for (const int id : node.inputs) {
        const Value& value = again->value(id);
        if (!node.origin.backward || value.node < 0 || value.slot > 0) continue;
        const Node& from = again->node(value.node);
        if (!from.origin.backward && from.op.name() == "batch_norm") results.insert(id);
      }
    }
    EXPECT_EQ(results.size(), 9u / static_cast<size_t>(depth + 1)) << depth;
    EXPECT_TRUE(same_results(*derived, *again));
  }
}

TEST(Recompute, BySegmentsKeepsTheSquareRootOfTheConvolutions) {
  const auto graph = make(Mode::train);
  Tensor y = image(*graph);
  constexpr int layers = 25;
  for (int i = 0; i < layers; ++i)
    y = relu(norm_layer(conv_layer(y, "c" + std::to_string(i)), "n" + std::to_string(i)));
  graph->output("loss", sum(y));
  const auto derived = autodiff(*fuse_norm(*graph), "loss");
  const auto again = recompute(*derived, {.min_bytes = 0, .segments = true});
  std::set<int> results;  // of the forward pass, that the backward pass reads
  for (const Node& node : again->nodes()) {
    for (const int id : node.inputs) {
      const Value& value = again->value(id);
      if (node.origin.backward && value.node >= 0 && value.slot == 0 &&
          !again->node(value.node).origin.backward)
        results.insert(id);
    }
  }
  EXPECT_LE(results.size(), 11u);  // 2 sqrt(25), and the loss
  EXPECT_GE(count(*again, "conv"), 2 * layers - 8);
  EXPECT_LT(count(*again, "conv"), 2 * layers) << "the last segment is not computed again";
  EXPECT_TRUE(same_results(*derived, *again));
}

}  // namespace
}  // namespace fovea::pass_test
