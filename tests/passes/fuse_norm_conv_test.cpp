#include "fovea/passes/fuse_norm_conv.h"

#include "fovea/kernels/winograd.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/norm_conv.h"
#include "fovea/ops/reduce.h"
#include "fovea/passes/pipeline.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

using Activation = Tensor (*)(const Tensor&);

/// A convolution, a norm, an activation, and a convolution of another kernel; what may be different
/// about it.
struct Layers {
  Activation activation = relu;
  int64_t kernel = 3, stride = 1;
  bool seen = false;     ///< what the norm gives is an output, too
  bool added = false;    ///< a value is added to it
  bool twice = false;    ///< a second convolution reads it
  bool by_sums = false;  ///< another op than a convolution reads it as well
  DType dtype = DType::f32;

  std::shared_ptr<Graph> graph() const {
    const auto graph = Graph::make(Mode::train, dtype);
    const Tensor x = graph->input("x", {dtype, {2, 16, 6, 5}});
    const auto second = [&](const Tensor& in, const std::string& name) {
      const Tensor weight = parameter(*graph, name + ".weight", {16, 16, kernel, kernel});
      return conv2d(in, weight, {}, {.stride = stride, .padding = kernel / 2});
    };
    Tensor y = norm_layer(conv_layer(x, "first"), "norm");
    if (added) y = y + x;
    y = activation(y);
    if (seen) graph->output("seen", y);
    Tensor loss = sum(second(y, "second") * 0.5);
    if (twice) loss = loss + sum(second(y, "third"));
    if (by_sums) loss = loss + sum(y);
    graph->output("loss", loss);
    return graph;
  }
};

/// How often each op is there after the pass, which must not change what the graph computes.
struct Counts {
  int fused = 0, gradients = 0, norms = 0, statistics = 0;
};
Counts counts(const Layers& layers) {
  const WinogradScope always(Winograd::always);
  Counts result;
  (void)run_passes(
      *layers.graph(),
      {.loss = "loss",
       .threads = 2,
       .observe = [&](std::string_view pass, const Graph& before, const Graph& after, double) {
         if (pass != "fuse_norm_conv") return;
         EXPECT_TRUE(same_results(before, after));
         result = {count(after, "norm_conv"), count(after, "norm_conv_backward_weights"),
                   count(after, "batch_norm"), count(after, "batch_norm_statistics")};
       }});
  return result;
}

TEST(FuseNormConv, TheConvolutionAndTheGradientOfItsWeightsApplyTheNorm) {
  for (const Activation activation : {relu, relu6, silu, hardswish}) {
    const Counts c = counts({.activation = activation});
    EXPECT_EQ(c.fused, 1);
    EXPECT_EQ(c.gradients, 1);
    EXPECT_EQ(c.norms, 0);
    EXPECT_EQ(c.statistics, 1);
  }
}

TEST(FuseNormConv, EachConvolutionThatReadsItAppliesTheNorm) {
  const Counts c = counts({.twice = true});
  EXPECT_EQ(c.fused, 2);
  EXPECT_EQ(c.gradients, 2);
  EXPECT_EQ(c.statistics, 1);
}

TEST(FuseNormConv, WhatElseIsReadIsStored) {
  for (const Layers& layers :
       {Layers{.seen = true}, Layers{.added = true}, Layers{.by_sums = true}, Layers{.kernel = 1},
        Layers{.stride = 2}, Layers{.activation = tanh}, Layers{.dtype = DType::f64}}) {
    const Counts c = counts(layers);
    EXPECT_EQ(c.fused + c.gradients + c.statistics, 0);
    EXPECT_EQ(c.norms, 1);
  }
}

TEST(FuseNormConv, NothingIsFusedWithoutTheKernel) {
  const WinogradScope never(Winograd::never);
  const auto graph = run_passes(*Layers{}.graph(), {.loss = "loss"});
  EXPECT_EQ(count(*graph, "norm_conv"), 0);
  EXPECT_EQ(count(*graph, "batch_norm"), 1);
}

TEST(FuseNormConv, TheFusedOpReadsWhatTheNormRead) {
  const WinogradScope always(Winograd::always);
  const auto graph = run_passes(*Layers{}.graph(), {.loss = "loss"});
  for (const Node& node : graph->nodes()) {
    if (node.op.name() != "norm_conv") continue;
    const int maker = graph->value(node.inputs[0]).node;
    ASSERT_GE(maker, 0);
    EXPECT_EQ(graph->node(maker).op.name(), "conv");  // of the value before the norm
    EXPECT_EQ(node.inputs.size(), node.op.get<NormConv>().mean_input() + 3);
  }
}

}  // namespace
}  // namespace fovea::pass_test
