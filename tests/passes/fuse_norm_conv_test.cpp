#include "fovea/passes/fuse_norm_conv.h"

#include "fovea/kernels/winograd.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/norm_conv.h"
#include "fovea/ops/reduce.h"
#include "fovea/passes/pipeline.h"
#include "fovea/passes/recompute.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

using Activation = Tensor (*)(const Tensor&);

/// A convolution, a norm, an activation, and a convolution of another kernel; what may be different
/// about it.
struct Layers {
  Activation activation = relu;
  int64_t kernel = 3, stride = 1;
  bool seen = false;        ///< what the norm gives is an output, too
  bool added = false;       ///< a value is added to it
  bool twice = false;       ///< a second convolution reads it
  bool by_sums = false;     ///< another op than a convolution reads it as well
  bool bias = false;        ///< of both convolutions
  bool normalised = false;  ///< a norm follows the second convolution
  DType dtype = DType::f32;

  std::shared_ptr<Graph> graph() const {
    const auto graph = Graph::make(Mode::train, dtype);
    const Tensor x = graph->input("x", {dtype, {2, 16, 6, 5}});
    const auto second = [&](const Tensor& in, const std::string& name) {
      const Tensor weight = parameter(*graph, name + ".weight", {16, 16, kernel, kernel});
      const Tensor bias_of = bias ? parameter(*graph, name + ".bias", {16}) : Tensor();
      const Tensor y = conv2d(in, weight, bias_of, {.stride = stride, .padding = kernel / 2});
      return normalised ? norm_layer(y, name + ".norm") : y;
    };
    Tensor y = norm_layer(conv_layer(x, "first", bias), "norm");
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

/// How often each op is there after the pass.
struct Counts {
  int normalising = 0, measuring = 0;  ///< convolutions that apply a norm, that compute moments
  int gradients = 0, norms = 0, statistics = 0, again = 0;
};
Counts counts(const Graph& graph) {
  Counts result{.gradients = count(graph, "norm_conv_backward_weights"),
                .norms = count(graph, "batch_norm"),
                .statistics = count(graph, "batch_norm_statistics"),
                .again = count(graph, "batch_norm_again")};
  for (const Node& node : graph.nodes()) {
    if (const auto* conv = node.op.as<NormConv>())
      result.normalising += conv->normalises, result.measuring += conv->moments;
  }
  return result;
}

/// Those of a net; the pass must not change what the graph computes. `recomputed`: after norms are
/// computed once more in the backward pass.
Counts counts(const Layers& layers, bool recomputed = false) {
  const WinogradScope always(Winograd::always);
  Counts result;
  (void)run_passes(*layers.graph(), {.loss = "loss",
                                     .threads = 2,
                                     .observe = [&](std::string_view pass, const Graph& before,
                                                    const Graph& after, double) {
                                       if (recomputed && pass == "layout") {
                                         const auto again = recompute(after, everything);
                                         EXPECT_GT(count(*again, "batch_norm_again"), 0);
                                         const auto fused = fuse_norm_conv(*again, 2);
                                         EXPECT_TRUE(same_results(*again, *fused));
                                         result = counts(*fused);
                                       } else if (!recomputed && pass == "fuse_norm_conv") {
                                         EXPECT_TRUE(same_results(before, after));
                                         result = counts(after);
                                       }
                                     }});
  return result;
}

TEST(FuseNormConv, TheConvolutionAndTheGradientOfItsWeightsApplyTheNorm) {
  for (const Activation activation : {relu, relu6, silu, hardswish}) {
    for (const bool bias : {false, true}) {
      for (const bool recomputed : {false, true}) {
        const Counts c = counts({.activation = activation, .bias = bias}, recomputed);
        EXPECT_EQ(c.normalising, 1);
        EXPECT_EQ(c.gradients, 1);
        EXPECT_EQ(c.norms, 0);
        EXPECT_EQ(c.statistics, 1);
        EXPECT_EQ(c.again, 0);
      }
    }
  }
}

TEST(FuseNormConv, EachConvolutionThatReadsItAppliesTheNorm) {
  const Counts c = counts({.twice = true});
  EXPECT_EQ(c.normalising, 2);
  EXPECT_EQ(c.gradients, 2);
  EXPECT_EQ(c.statistics, 1);
}

TEST(FuseNormConv, ConvolutionsComputeMomentsOfWhatANormReads) {
  EXPECT_EQ(counts({}).measuring, 1);  // of two
  EXPECT_EQ(counts({.normalised = true}).measuring, 2);
  EXPECT_EQ(counts({.normalised = true}).normalising, 1);
}

TEST(FuseNormConv, MomentsAreThoseOfANormsInputNotItsResidual) {
  const WinogradScope always(Winograd::always);
  const auto graph = Graph::make(Mode::train, DType::f32);
  const Tensor x = graph->input("x", {DType::f32, {2, 16, 6, 5}});
  graph->output("loss",
                sum(relu(norm_layer(conv_layer(x, "first"), "norm") + conv_layer(x, "shortcut"))));
  const Counts c = counts(*run_passes(*graph, {.loss = "loss"}));
  EXPECT_EQ(c.measuring, 1);
  EXPECT_EQ(c.statistics, 1);
}

TEST(FuseNormConv, TwoNormsOfOneConvolutionShareItsMoments) {
  const WinogradScope always(Winograd::always);
  const auto graph = Graph::make(Mode::train, DType::f32);
  const Tensor x = graph->input("x", {DType::f32, {2, 16, 6, 5}});
  const Tensor y = conv_layer(x, "conv");
  graph->output("loss", sum(relu(norm_layer(y, "a"))) + sum(norm_layer(y, "b") * 0.5));
  const Counts c = counts(*run_passes(*graph, {.loss = "loss"}));
  EXPECT_EQ(c.measuring, 1);
  EXPECT_EQ(c.statistics, 2);
  EXPECT_EQ(c.again, 2);
}

TEST(FuseNormConv, WhatElseIsReadIsStored) {
  for (const Layers& layers :
       {Layers{.seen = true}, Layers{.added = true}, Layers{.by_sums = true}, Layers{.kernel = 1},
        Layers{.stride = 2}, Layers{.activation = tanh}}) {
    const Counts c = counts(layers);
    EXPECT_EQ(c.normalising + c.gradients, 0);
    EXPECT_EQ(c.norms, 0);
    EXPECT_EQ(c.statistics, 1);  // of the moments
    EXPECT_EQ(c.again, 1);
  }
  const Counts c = counts({.dtype = DType::f64});
  EXPECT_EQ(c.normalising + c.measuring + c.gradients + c.statistics, 0);
  EXPECT_EQ(c.norms, 1);
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
  int fused = 0;
  for (const Node& node : graph->nodes()) {
    const auto* conv = node.op.as<NormConv>();
    if (conv == nullptr || !conv->normalises) continue;
    ++fused;
    const int maker = graph->value(node.inputs[0]).node;
    ASSERT_GE(maker, 0);
    EXPECT_EQ(graph->node(maker).op.name(), "norm_conv");  // of the value before the norm
    EXPECT_EQ(node.inputs.size(), conv->mean_input() + 3);
  }
  EXPECT_EQ(fused, 1);
}

}  // namespace
}  // namespace fovea::pass_test
