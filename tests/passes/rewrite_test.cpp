#include <set>

#include "error_text.h"
#include "fovea/graph/print.h"
#include "fovea/graph/verify.h"
#include "fovea/kernels/kernel.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/fold_batchnorm.h"
#include "fovea/passes/fold_scale.h"
#include "fovea/passes/fuse.h"
#include "fovea/passes/fuse_activation.h"
#include "fovea/passes/pipeline.h"
#include "fovea/passes/recompute.h"
#include "fovea/passes/simplify.h"
#include "laid_out.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

using Pass = std::shared_ptr<Graph> (*)(const Graph&);

/// The nodes, outputs and updates of a graph as it is printed.
std::string body(const Graph& graph) {
  const std::string text = print(graph);
  size_t from = text.find('\n') + 1;
  while (text.compare(from, 2, "  ") == 0 && text.find('(', from) > text.find('\n', from))
    from = text.find('\n', from) + 1;
  return "\n" + text.substr(from);
}

TEST(Passes, PreserveTheResultsOfRandomNets) {
  const auto layouts = [](const Graph& graph) {
    return laid_out(graph, [](const Type& t) {
      return t.dim(1) % 16 == 0 ? Layout::blocked16 : Layout::plain;
    });
  };
  const auto fold = [](const Graph& graph) { return fold_batchnorm(graph); };
  const auto epilogues = [](const Graph& graph) { return fuse_epilogue(graph); };
  const auto recompute_all = [](const Graph& graph) { return recompute(graph, everything); };
  const auto recompute_segments = [](const Graph& graph) {
    return recompute(graph, {.min_bytes = 0, .segments = true});
  };
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed, "nets");
    const auto train = random_net(random, Mode::train), eval = random_net(random, Mode::eval);
    const std::pair<std::shared_ptr<Graph>,
                    std::vector<std::function<std::shared_ptr<Graph>(const Graph&)>>>
        chains[] = {{train, {simplify, fuse_norm, layouts}},
                    {eval, {simplify, fold, epilogues, layouts}},
                    {autodiff(*train, "loss"), {simplify, layouts, recompute_all}},
                    {autodiff(*train, "loss"), {simplify, layouts, recompute_segments}},
                    {autodiff(*fuse_norm(*train), "loss"), {layouts, recompute_all}},
                    {autodiff(*fuse_norm(*train), "loss"), {layouts, recompute_segments}}};
    for (const auto& [traced, passes] : chains) {
      std::shared_ptr<Graph> graph = traced;
      for (const auto& pass : passes) {
        graph = pass(*graph);
        ASSERT_NO_THROW(verify(*graph));
        ASSERT_TRUE(same_results(*traced, *graph)) << seed << "\n"
                                                   << print(*traced) << print(*graph);
      }
    }
    // The fused norm has a gradient of its own.
    ASSERT_TRUE(same_results(*autodiff(*train, "loss"), *autodiff(*fuse_norm(*train), "loss")))
        << seed;
  }
}

TEST(Simplify, DropsUnusedNodes) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph), y = conv_layer(x, "used");
  (void)relu(conv_layer(x, "unused"));
  graph->output("y", y);
  const auto simple = simplify(*graph);
  EXPECT_EQ(simple->nodes().size(), 1u);
  // Unused gradients of inputs are removed, the input itself stays: callers provide it.
  EXPECT_EQ(simple->values()[0].name, "x");
}

TEST(Simplify, KeepsANodeThatOnlyAnUpdateNeeds) {
  const auto graph = make(Mode::train);
  (void)norm_layer(image(*graph), "norm");
  EXPECT_EQ(simplify(*graph)->nodes().size(), 1u);
}

TEST(Simplify, MergesEqualNodesAndWhatFollowsThem) {
  const auto graph = make(Mode::eval);
  const Tensor x = image(*graph);
  const auto branch = [&] { return relu(cast(x, DType::f32)) * 2.0; };
  const Tensor a = branch(), b = branch(), other = cast(x, DType::f32) * 3.0;
  graph->output("y", a + b + other);
  const auto simple = simplify(*graph);
  EXPECT_EQ(count(*simple, "cast"), 1);
  EXPECT_EQ(count(*simple, "relu"), 1);
  EXPECT_EQ(count(*simple, "affine"), 2);  // another factor is another op
  EXPECT_TRUE(same_results(*graph, *simple));
}

TEST(Simplify, SumsForTheBiasOfAConvolutionWhoseWeightIsFrozen) {
  const auto graph = make(Mode::train);
  const Tensor y = conv2d(image(*graph), state(*graph, "weight", {3, 16, 2, 2}),
                          parameter(*graph, "bias", {3}), {.padding = 1});
  graph->output("loss", mean(tanh(y)));
  const auto derived = autodiff(*graph, "loss"), simple = simplify(*derived);
  EXPECT_TRUE(same_results(*derived, *simple)) << print(*simple);
  EXPECT_EQ(count(*derived, "conv_backward_weights"), 1);
  EXPECT_EQ(count(*simple, "conv_backward_weights"), 0) << print(*simple);
}

TEST(Simplify, NeverMergesDropoutsOrValuesOfOtherShapes) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph);
  graph->output("a", reshape(x, {64}));
  graph->output("b", reshape(x, {8, 8}));
  EXPECT_EQ(simplify(*graph)->nodes().size(), 2u);
}

TEST(FuseNorm, MakesNormAddAndReluOneNode) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph), skip = image(*graph, "skip");
  graph->enter("block", std::source_location::current());
  graph->output("y", relu(skip + norm_layer(x, "bn")));
  graph->leave();
  EXPECT_EQ(body(*graph), R"(
  %6, %7, %8, %9, %10, %11 = batch_norm(%0, %2, %3, %4, %5) eps=1e-05 momentum=0.1: f64[1, 16, 2, 2], f64[16], f64[16], f64[16], f64[16], f64[16]   # block
  %12 = add(%1, %6): f64[1, 16, 2, 2]   # block
  %13 = relu(%12): f64[1, 16, 2, 2]   # block
  output y = %13
  update bn.mean = %9
  update bn.var = %10
)");
  EXPECT_EQ(body(*fuse_norm(*graph)), R"(
  %6, %7, %8, %9, %10, %11 = batch_norm(%0, %2, %3, %4, %5, %1) eps=1e-05 momentum=0.1 residual activation=relu: f64[1, 16, 2, 2], f64[16], f64[16], f64[16], f64[16], f64[16]   # block
  output y = %6
  update bn.mean = %9
  update bn.var = %10
)");
}

TEST(FuseNorm, OfTwoNormsThatMeetTakesTheLater) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph);
  graph->output("y", relu(norm_layer(x, "a") + norm_layer(x, "b")));
  const auto fused = fuse_norm(*graph);
  EXPECT_EQ(count(*fused, "batch_norm"), 2);
  EXPECT_EQ(count(*fused, "add") + count(*fused, "relu"), 0);
  EXPECT_TRUE(same_results(*graph, *fused));
}

TEST(FuseNorm, DoesNotFuseANormWithOtherUses) {
  const auto twice = make(Mode::train);
  const Tensor a = norm_layer(image(*twice), "bn");
  twice->output("y", relu(a) + a);
  EXPECT_EQ(count(*fuse_norm(*twice), "relu"), 1);

  const auto seen = make(Mode::train);
  const Tensor b = norm_layer(image(*seen), "bn");
  seen->output("norm", b);
  seen->output("y", relu(b));
  EXPECT_EQ(count(*fuse_norm(*seen), "relu"), 1);

  const auto itself = make(Mode::train);
  const Tensor c = norm_layer(image(*itself), "bn");
  itself->output("y", c + c);
  EXPECT_EQ(count(*fuse_norm(*itself), "add"), 1);
}

TEST(FuseNorm, DoesNotFuseANormWhoseStatisticsAreUsedBeforeItsRelu) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph), y = norm_layer(x, "bn");
  const Node& norm = graph->node(graph->value(y.id()).node);
  graph->output("twice", norm.output(1) * 2.0);
  graph->output("y", relu(y));
  const auto fused = fuse_norm(*graph);
  EXPECT_EQ(count(*fused, "relu"), 1);
  EXPECT_TRUE(same_results(*graph, *fused));

  const auto later = make(Mode::train);
  const Tensor z = norm_layer(image(*later), "bn");
  later->output("y", relu(z));
  later->output("twice", later->node(later->value(z.id()).node).output(1) * 2.0);
  EXPECT_EQ(count(*fuse_norm(*later), "relu"), 0);
}

TEST(FuseNorm, StopsAtAnAddThatIsAnOutput) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph), sum = norm_layer(x, "bn") + x;
  graph->output("sum", sum);
  graph->output("y", relu(sum));
  const auto fused = fuse_norm(*graph);
  EXPECT_EQ(count(*fused, "add"), 0);
  EXPECT_EQ(count(*fused, "relu"), 1);
  EXPECT_TRUE(same_results(*graph, *fused));
}

TEST(FuseNorm, TakesTheActivationsThatNormsHave) {
  for (const UnaryKind kind : {UnaryKind::relu6, UnaryKind::silu, UnaryKind::mish}) {
    const auto graph = make(Mode::train);
    const Tensor y = graph->add_one(Unary{kind, 0}, {norm_layer(image(*graph), "bn")});
    graph->output("loss", sum(y * y));
    const auto fused = fuse_norm(*graph);
    EXPECT_EQ(count(*fused, unary_rule(kind).name), follows_norm(kind) ? 0 : 1);
    EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *autodiff(*fused, "loss")));
  }
}

TEST(FuseNorm, TakesAPoolWhoseWindowsTileTheImages) {
  const auto pooled = [](const auto& pool, bool residual = false) {
    const auto graph = make(Mode::train);
    const Tensor x = graph->input("x", {DType::f64, {2, 16, 4, 4}});
    const Tensor y = norm_layer(x, "bn");
    const Tensor z = pool(relu(residual ? y + x : y));
    graph->output("loss", sum(z * z));
    const auto fused = fuse_norm(*graph);
    EXPECT_TRUE(same_results(*graph, *fused));
    EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *autodiff(*fused, "loss")));
    return count(*fused, "max_pool");
  };
  const auto of = [](const PoolOptions& options) {
    return [=](const Tensor& x) { return max_pool(x, options); };
  };
  EXPECT_EQ(pooled(of({2})), 0);
  EXPECT_EQ(pooled(of({4})), 0);
  EXPECT_EQ(pooled(of({3})), 1);     // a row and a column are left
  EXPECT_EQ(pooled(of({2, 1})), 1);  // windows overlap
  EXPECT_EQ(pooled(of({.kernel = 2, .padding = 1})), 1);
  EXPECT_EQ(pooled(of({.kernel = 2, .dilation = 2})), 1);
  EXPECT_EQ(pooled(of({.kernel = Dims{1, 2}})), 1);
  EXPECT_EQ(pooled(of({2}), true), 1);  // a residual comes first
  EXPECT_EQ(pooled([](const Tensor& x) { return max_pool(max_pool(x, {2}), {2}); }), 1);
}

TEST(FuseNorm, AddsTheGradientOfAResidualWithoutACopy) {
  const auto graph = make(Mode::train);
  const Tensor x = image(*graph), skip = conv_layer(image(*graph, "skip"), "conv");
  const Tensor y = norm_layer(x, "bn") + skip;
  graph->output("loss", sum(y * y));
  const auto derived = autodiff(*fuse_norm(*graph), "loss");
  for (const Node& node : derived->nodes()) {
    if (node.op.name() == "batch_norm_backward") {
      EXPECT_EQ(node.outputs.size(), 3u);
      EXPECT_EQ(count(*derived, "batch_norm_backward"), 1);
    }
  }
  EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *derived));
}

TEST(FoldBatchNorm, IsDoneByTheConvolution) {
  const auto graph = make(Mode::eval);
  const Tensor x = image(*graph), skip = image(*graph, "skip");
  graph->output("y", relu(norm_layer(conv_layer(x, "conv", true), "bn") + skip));
  EXPECT_EQ(body(*graph), R"(
  %4 = conv(%0, %2, %3) kernel=3 stride=1 padding=1 bias: f64[1, 16, 2, 2]
  %9 = batch_norm_eval(%4, %5, %6, %7, %8) eps=1e-05: f64[1, 16, 2, 2]
  %10 = add(%9, %1): f64[1, 16, 2, 2]
  %11 = relu(%10): f64[1, 16, 2, 2]
  output y = %11
)");
  const auto folded = fold_batchnorm(*graph), fused = fuse_epilogue(*folded);
  EXPECT_EQ(body(*fused), R"(
  %8, %9 = fold_batchnorm(%2, %3, %4, %5, %6, %7) eps=1e-05 bias: f64[16, 16, 3, 3], f64[16]
  %10 = conv(%0, %8, %9, %1) kernel=3 stride=1 padding=1 bias epilogue=[-1, 0]: f64[1, 16, 2, 2]
  output y = %10
)");
  EXPECT_TRUE(same_results(*graph, *folded));
  EXPECT_TRUE(same_results(*graph, *fused));
}

// Mobile nets end their convolutions with other activations than relu: each would be another pass
// over memory.
TEST(FuseConv, TakesEveryActivationAndAddsInTheirOrder) {
  const std::function<Tensor(const Tensor&)> activations[] = {
      relu,        relu6,       hardswish,
      silu,        gelu,        sigmoid,
      hardsigmoid, fovea::tanh, [](const Tensor& x) { return leaky_relu(x, 0.2); }};
  for (const auto& activation : activations) {
    const auto graph = make(Mode::eval);
    const Tensor x = image(*graph), skip = image(*graph, "skip");
    graph->output("y", activation(activation(conv_layer(x, "conv", true)) + skip));
    const auto fused = fuse_epilogue(*graph);
    EXPECT_EQ(fused->nodes().size(), 1u) << print(*fused);
    EXPECT_TRUE(same_results(*graph, *fused)) << print(*graph);
  }
}

TEST(FuseConv, TheLaterOfTwoConvolutionsAddsTheOther) {
  const auto graph = make(Mode::eval);
  const Tensor x = image(*graph);
  const Tensor first = hardswish(conv_layer(x, "a")), second = relu(conv_layer(x, "b"));
  graph->output("y", silu(first + second));
  const auto fused = fuse_epilogue(*graph);
  EXPECT_EQ(fused->nodes().size(), 2u) << print(*fused);
  EXPECT_TRUE(same_results(*graph, *fused));
}

/// The products of a block of ConvNeXt, at each pixel, and its layer scale: x + s (w2 gelu(w1 x)).
Tensor pixel_block(const Tensor& x, const Shape& scale) {
  Graph& graph = x.graph();
  const Tensor hidden = gelu(linear(permute(x, {0, 2, 3, 1}), parameter(graph, "w1", {32, 16}),
                                    parameter(graph, "b1", {32})));
  const Tensor y = linear(hidden, parameter(graph, "w2", {16, 32}), parameter(graph, "b2", {16}));
  return parameter(graph, "scale", scale) * permute(y, {0, 3, 1, 2}) + x;
}
Tensor pixels(Graph& graph, int64_t batch) {
  return graph.input("x", {DType::f64, {batch, 16, 4, 4}});
}

TEST(FoldScale, ScalesTheWeightsOfTheLayer) {
  for (const Mode mode : {Mode::train, Mode::eval}) {
    const auto graph = make(mode);
    const Tensor x = pixels(*graph, 32);
    graph->output("y", pixel_block(x, {16, 1, 1}));
    graph->output("conv", conv_layer(x, "conv", true) * parameter(*graph, "s", {16, 1, 1}));
    graph->output("loss", mean(graph->output("y") * graph->output("conv")));
    const auto folded = fold_scale(*graph);
    EXPECT_TRUE(same_results(*graph, *folded));
    for (const Node& node : folded->nodes()) {
      if (node.op.name() != "broadcast_mul") continue;
      EXPECT_NE(folded->value(node.outputs[0]).type.dim(0), 32) << print(*folded);
    }
    if (mode == Mode::eval) continue;
    EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *autodiff(*folded, "loss")));
  }
}

TEST(FoldScale, LeavesOtherProductsAlone) {
  const auto graph = make(Mode::eval);
  const Tensor x = pixels(*graph, 1);
  const Tensor s = parameter(*graph, "s", {16, 1, 1}), conv = conv_layer(x, "a");
  graph->output("two uses", conv * s + conv);
  graph->output("by data", conv_layer(x, "b") * global_avg_pool(x));
  graph->output("along rows", conv_layer(x, "c") * parameter(*graph, "row", {4, 1}));
  EXPECT_EQ(count(*fold_scale(*graph), "broadcast_mul"), 3);
  EXPECT_EQ(fold_scale(*graph)->nodes().size(), graph->nodes().size());
  const auto small = make(Mode::train);  // more weights than results
  small->output("y", conv_layer(image(*small), "a") * parameter(*small, "s", {16, 1, 1}));
  EXPECT_EQ(fold_scale(*small)->nodes().size(), small->nodes().size());
}

TEST(FuseEpilogue, OfALinearLayerAddsBeforeChannelsMoveBack) {
  const auto graph = make(Mode::eval);
  graph->output("y", pixel_block(pixels(*graph, 1), {16, 1, 1}));
  const auto fused = fuse_epilogue(*fold_scale(*graph));
  EXPECT_TRUE(same_results(*graph, *fused));
  EXPECT_EQ(count(*fused, "gelu") + count(*fused, "add"), 0) << print(*fused);
  EXPECT_EQ(count(*fused, "linear"), 2);
}

TEST(FuseActivation, ProductsComputeItAndItsGradient) {
  const auto graph = make(Mode::train);
  graph->output("loss", mean(pixel_block(pixels(*graph, 4), {16, 1, 1})));
  const auto derived = simplify(*autodiff(*graph, "loss")), fused = fuse_activation(*derived);
  EXPECT_TRUE(same_results(*derived, *fused)) << print(*fused);
  EXPECT_EQ(count(*fused, "gelu") + count(*fused, "gelu_backward"), 0) << print(*fused);
  for (const Node& node : fused->nodes()) {
    if (node.op.name() != "linear" || node.outputs.size() == 1) continue;
    for (const Node& other : fused->nodes()) {
      const auto reads = std::ranges::count(other.inputs, node.outputs[0]);
      EXPECT_EQ(other.origin.backward ? reads : 0, 0) << "is kept\n" << print(*fused);
    }
  }
}

TEST(FuseActivation, LeavesActivationsWithOtherGradientsAlone) {
  const auto graph = make(Mode::train);
  const Tensor x = pixels(*graph, 4);
  graph->output("loss",
                mean(gelu(conv_layer(x, "a")) * gelu(linear(x, parameter(*graph, "w", {4, 4})))));
  const auto derived = simplify(*autodiff(*graph, "loss"));
  EXPECT_EQ(body(*fuse_activation(*derived)), body(*derived));
}

TEST(FoldBatchNorm, DoesNotFoldIntoAConvolutionThatIsAnOutput) {
  const auto twice = make(Mode::eval);
  const Tensor a = conv_layer(image(*twice), "conv");
  twice->output("y", norm_layer(a, "bn") + a);
  EXPECT_EQ(count(*fold_batchnorm(*twice), "batch_norm_eval"), 1);

  const auto seen = make(Mode::eval);
  const Tensor b = conv_layer(image(*seen), "conv");
  seen->output("conv", b);
  seen->output("y", norm_layer(b, "bn"));
  EXPECT_EQ(count(*fold_batchnorm(*seen), "batch_norm_eval"), 1);

  const auto kept = make(Mode::eval);
  const Tensor c = conv_layer(image(*kept), "conv");
  kept->update("last", c);
  kept->output("y", norm_layer(c, "bn"));
  EXPECT_TRUE(same_results(*kept, *fold_batchnorm(*kept)));
}

TEST(FoldBatchNorm, OfSharedWeightsIsDoneForEachUse) {
  const auto graph = make(Mode::eval);
  const Tensor x = image(*graph);
  graph->output("y", norm_layer(conv_layer(norm_layer(conv_layer(x, "conv"), "a"), "conv"), "b"));
  const auto folded = fold_batchnorm(*graph);
  EXPECT_EQ(count(*folded, "fold_batchnorm"), 2);
  EXPECT_TRUE(same_results(*graph, *folded));
}

TEST(FoldBatchNorm, OfFrozenLayersInTrainingEndsWhereAGradientGoesThrough) {
  const auto graph = make(Mode::train);
  graph->freeze([](std::string_view name) { return name.starts_with("frozen"); });
  const auto layer = [&](const Tensor& x, const std::string& name) {
    const auto norm = [&](const std::string& array) {
      return parameter(*graph, name + ".norm." + array, {16});
    };
    return batch_norm_eval(conv_layer(x, name), norm("weight"), norm("bias"),
                           state(*graph, name + ".mean", {16}), state(*graph, name + ".var", {16}));
  };
  const Tensor first = relu(layer(image(*graph), "frozen1"));
  const Tensor second = relu(layer(first, "frozen2") + first);
  const Tensor learned = relu(layer(second, "learned"));
  graph->output("loss", mean(relu(layer(learned, "frozen3"))));

  const auto fused = fuse_epilogue(*fold_batchnorm(*graph, true), Part::frozen);
  EXPECT_EQ(count(*fused, "fold_batchnorm"), 2) << print(*fused);
  EXPECT_EQ(count(*fused, "batch_norm_eval"), 2) << print(*fused);
  EXPECT_EQ(count(*fused, "relu"), 2) << print(*fused);
  EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *autodiff(*fused, "loss")));
}

// A detector's norms keep their statistics while all else learns.
TEST(FoldBatchNorm, OfLayersThatLearnIsDoneWhereTheirWeightsAreFewerThanTheNormsValues) {
  for (const int64_t side : {12, 2}) {
    const auto graph = make(Mode::train);
    const Tensor x = graph->input("image", {DType::f64, {2, 3, side, side}});
    const auto parameters = [&](const std::string& name, const Shape& shape) {
      return parameter(*graph, name, shape);
    };
    const Tensor y =
        conv2d(x, parameters("weight", {5, 3, 3, 3}), parameters("bias", {5}), {.padding = 1});
    const Tensor z = batch_norm_eval(y, parameters("gamma", {5}), parameters("beta", {5}),
                                     state(*graph, "mean", {5}), state(*graph, "var", {5}));
    graph->output("loss", mean(relu(z) * z));

    const auto folded = fold_batchnorm(*graph, true);
    EXPECT_EQ(count(*folded, "fold_batchnorm"), side == 12) << print(*folded);
    const auto trained = autodiff(*folded, "loss");
    EXPECT_EQ(count(*trained, "fold_batchnorm_backward"), side == 12) << print(*trained);
    EXPECT_TRUE(same_results(*autodiff(*graph, "loss"), *trained));
  }
}

TEST(Layout, OfAChainIsOneIsland) {
  const auto graph = make(Mode::eval);
  const Tensor x = image(*graph);
  graph->output("y", flatten(relu(conv_layer(relu(conv_layer(x, "a")) + x, "b"))));
  const auto blocked = [](const Type&) { return Layout::blocked16; };
  EXPECT_EQ(body(*laid_out(*graph, blocked)), R"(
  %2 = reorder(%0): f64[1, 16, 2, 2]{blocked16}
  %3 = conv(%2, %1) kernel=3 stride=1 padding=1: f64[1, 16, 2, 2]{blocked16}
  %4 = relu(%3): f64[1, 16, 2, 2]{blocked16}
  %5 = add(%4, %2): f64[1, 16, 2, 2]{blocked16}
  %7 = conv(%5, %6) kernel=3 stride=1 padding=1: f64[1, 16, 2, 2]{blocked16}
  %8 = relu(%7): f64[1, 16, 2, 2]{blocked16}
  %9 = reorder(%8): f64[1, 16, 2, 2]
  %10 = reshape(%9) shape=[1, 64]: f64[1, 64]
  output y = %10
)");
}

Layout blocks_where_they_fit(const Type& type) {
  return type.dim(1) % 16 == 0 ? Layout::blocked16 : Layout::plain;
}

// Branches that join and channels that are weighted must not leave the island: leaving and
// returning costs two copies.
TEST(Layout, OfJoinsAndGatesIsThatOfTheirIsland) {
  const auto graph = make(Mode::eval);
  const Tensor x = conv_layer(image(*graph), "a");
  const Tensor joined = concat({x, x * sigmoid(global_avg_pool(x))}, 1);
  const Tensor scale = graph->read("scale", {DType::f64, {16, 1, 1}});
  graph->output("y", conv_layer(slice(joined, 1, 8, 24) * scale, "b"));
  graph->output("mean", sum_to(joined, {1, 32, 1, 1}));
  EXPECT_EQ(body(*laid_out(*graph, blocks_where_they_fit)), R"(
  %2 = reorder(%0): f64[1, 16, 2, 2]{blocked16}
  %3 = conv(%2, %1) kernel=3 stride=1 padding=1: f64[1, 16, 2, 2]{blocked16}
  %4 = adaptive_avg_pool(%3) output=1: f64[1, 16, 1, 1]{blocked16}
  %5 = sigmoid(%4): f64[1, 16, 1, 1]{blocked16}
  %6 = broadcast_mul(%3, %5): f64[1, 16, 2, 2]{blocked16}
  %7 = concat(%3, %6) axis=1: f64[1, 32, 2, 2]{blocked16}
  %8 = slice(%7) axis=1 begin=8 end=24: f64[1, 16, 2, 2]{blocked16}
  %10 = broadcast_mul(%8, %9): f64[1, 16, 2, 2]{blocked16}
  %12 = conv(%10, %11) kernel=3 stride=1 padding=1: f64[1, 16, 2, 2]{blocked16}
  %13 = sum_to(%7) shape=[1, 32, 1, 1]: f64[1, 32, 1, 1]{blocked16}
  %14 = reorder(%12): f64[1, 16, 2, 2]
  %15 = reorder(%13): f64[1, 32, 1, 1]
  output y = %14
  output mean = %15
)");
}

// oneDNN has a kernel for two blocked layouts, not for a mixture.
TEST(Layout, OfAConvolutionIsOneForBothSides) {
  const auto preferred = [](const Type& type) {
    const int64_t channels = type.dim(1);
    if (channels % 16 == 0) return Layout::blocked16;
    return channels <= 4 ? Layout::plain : Layout::channels_last;
  };
  const auto graph = make(Mode::eval);
  const auto layer = [&](const Tensor& x, const std::string& name, int64_t out, int64_t groups) {
    const Shape weight{out, x.dim(1) / groups, 1, 1};
    return conv2d(x, graph->read(name, {DType::f64, weight}), {}, {.groups = groups});
  };
  const Tensor image = graph->input("image", {DType::f64, {1, 3, 2, 2}});
  const Tensor wide = layer(layer(image, "a", 32, 1), "b", 24, 1);
  graph->output("y", layer(layer(layer(wide, "c", 48, 1), "d", 48, 48), "e", 2, 1));
  EXPECT_EQ(body(*laid_out(*graph, preferred)), R"(
  %2 = conv(%0, %1) kernel=1 stride=1 padding=0: f64[1, 32, 2, 2]{blocked16}
  %4 = reorder(%2): f64[1, 32, 2, 2]{channels_last}
  %5 = conv(%4, %3) kernel=1 stride=1 padding=0: f64[1, 24, 2, 2]{channels_last}
  %7 = conv(%5, %6) kernel=1 stride=1 padding=0: f64[1, 48, 2, 2]{channels_last}
  %9 = conv(%7, %8) kernel=1 stride=1 padding=0 groups=48: f64[1, 48, 2, 2]{channels_last}
  %11 = conv(%9, %10) kernel=1 stride=1 padding=0: f64[1, 2, 2, 2]{channels_last}
  %12 = reorder(%11): f64[1, 2, 2, 2]
  output y = %12
)");
}

TEST(Layout, OfPartialBlocksIsPlain) {
  const auto graph = make(Mode::eval);
  const Tensor x = conv_layer(image(*graph), "a");
  const Tensor plane = graph->read("plane", {DType::f64, {16, 2, 2}});
  graph->output("part", slice(x, 1, 4, 12));
  graph->output("map", x * sum_to(x, {1, 1, 2, 2}));  // one channel is all channels' order
  graph->output("shifted", x + plane);                // N, C, H cannot be told from C, H, W
  EXPECT_EQ(body(*laid_out(*graph, blocks_where_they_fit)), R"(
  %2 = reorder(%0): f64[1, 16, 2, 2]{blocked16}
  %3 = conv(%2, %1) kernel=3 stride=1 padding=1: f64[1, 16, 2, 2]{blocked16}
  %4 = reorder(%3): f64[1, 16, 2, 2]
  %5 = slice(%4) axis=1 begin=4 end=12: f64[1, 8, 2, 2]
  %6 = sum_to(%3) shape=[1, 1, 2, 2]: f64[1, 1, 2, 2]
  %7 = broadcast_mul(%3, %6): f64[1, 16, 2, 2]{blocked16}
  %9 = broadcast_add(%4, %8): f64[1, 16, 2, 2]
  %10 = reorder(%7): f64[1, 16, 2, 2]
  output part = %5
  output map = %10
  output shifted = %9
)");
}

TEST(Pipeline, ShowsEachPass) {
  Random random(5, "nets");
  const auto names = [](const Graph& graph, const std::string& loss) {
    std::vector<std::string> result;
    const Graph* last = &graph;
    (void)run_passes(graph, {.loss = loss,
                             .observe = [&](std::string_view pass, const Graph& before,
                                            const Graph& after, double seconds) {
                               EXPECT_EQ(&before, last) << pass;
                               EXPECT_GE(seconds, 0);
                               last = &after;
                               result.emplace_back(pass);
                             }});
    return result;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(*random_net(random, Mode::train), "loss"),
            (Names{"simplify", "fold_scale", "fuse_norm", "fold_batchnorm", "fuse_epilogue",
                   "autodiff", "simplify", "fuse_activation", "fuse_products", "layout",
                   "recompute", "fuse_norm_conv"}));
  EXPECT_EQ(names(*random_net(random, Mode::eval), ""),
            (Names{"simplify", "fold_scale", "fold_batchnorm", "fuse_epilogue", "fuse_depthwise",
                   "layout"}));
}

}  // namespace
}  // namespace fovea::pass_test
