#include "fovea/passes/fuse_depthwise.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/depthwise_block.h"
#include "fovea/passes/fuse.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

/// An inverted residual of 4, 8 and 4 channels, and what may be different about it.
struct Residual {
  bool adds = true, expand = true, project = true;
  bool bias = true;
  bool seen = false;  ///< what the depthwise convolution reads is an output, too
  int64_t kernel = 1, groups = 8, rows = 8;
  DType dtype = DType::f32;

  std::shared_ptr<Graph> graph() const {
    const auto graph = Graph::make(Mode::eval, dtype);
    const Tensor x = graph->input("x", {dtype, {1, expand ? 4 : 8, rows, 6}});
    const auto layer = [&](const Tensor& in, const std::string& name, int64_t out, int64_t size,
                           int64_t of_groups) {
      const Tensor weight =
          parameter(*graph, name + ".weight", {out, in.dim(1) / of_groups, size, size});
      return conv2d(in, weight, bias ? parameter(*graph, name + ".bias", {out}) : Tensor{},
                    {.padding = size / 2, .groups = of_groups});
    };
    Tensor y = expand ? relu6(layer(x, "expand", 8, kernel, 1)) : x;
    if (seen) graph->output("seen", y);
    y = relu6(layer(y, "depthwise", 8, 3, groups));
    if (project) y = layer(y, "project", 4, 1, 1);
    graph->output("y", adds && expand && project ? y + x : y);
    return fuse_epilogue(*graph);
  }
};

/// What the pass fuses; nothing when it fuses nothing.
std::optional<DepthwiseBlock> fused(const Residual& net, int threads = 1) {
  const auto before = net.graph(), after = fuse_depthwise(*before, threads);
  EXPECT_TRUE(same_results(*before, *after));
  for (const Node& node : after->nodes()) {
    if (const auto* op = node.op.as<DepthwiseBlock>()) return *op;
  }
  return std::nullopt;
}

TEST(FuseDepthwise, TakesTheConvolutionsOfPixelsOnBothSides) {
  const auto op = fused({});
  ASSERT_TRUE(op);
  EXPECT_TRUE(op->expands && op->projects);
  EXPECT_EQ(op->projected.residuals(), 1u);
  EXPECT_EQ(fuse_depthwise(*Residual{}.graph(), 1)->nodes().size(), 1u);
}

TEST(FuseDepthwise, TakesTheOneOnOneSide) {
  auto op = fused({.expand = false});
  ASSERT_TRUE(op);
  EXPECT_TRUE(!op->expands && op->projects);
  op = fused({.project = false});
  ASSERT_TRUE(op);
  EXPECT_TRUE(op->expands && !op->projects);
  EXPECT_FALSE(fused({.expand = false, .project = false}));
  op = fused({.kernel = 3});
  ASSERT_TRUE(op);
  EXPECT_FALSE(op->expands);
}

// A value that is looked at (a feature map, what Grad-CAM weighs) has to be computed.
TEST(FuseDepthwise, KeepsValuesThatAreOutputs) {
  const auto op = fused({.seen = true});
  ASSERT_TRUE(op);
  EXPECT_FALSE(op->expands);
}

TEST(FuseDepthwise, LeavesAllOthersAlone) {
  EXPECT_FALSE(fused({.groups = 4}));
  EXPECT_FALSE(fused({.bias = false}));
  EXPECT_FALSE(fused({.dtype = DType::f64}));
}

// Many threads would compute most rows of a few twice.
TEST(FuseDepthwise, NeedsRowsForEachThread) {
  EXPECT_TRUE(fused({.rows = 8}, 2));
  EXPECT_FALSE(fused({.rows = 7}, 2));
}

}  // namespace
}  // namespace fovea::pass_test
