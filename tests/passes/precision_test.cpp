#include "fovea/passes/precision.h"

#include <gtest/gtest.h>

#include "fovea/graph/verify.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/pipeline.h"
#include "fovea/passes/simplify.h"
#include "passes/nets.h"

namespace fovea {
namespace {

using pass_test::count;

constexpr auto f32 = DType::f32, bf16 = DType::bf16, f16 = DType::f16;

/// y = x^2, an op from outside: its traits say nothing about precision.
struct Square {
  static constexpr std::string_view name = "square";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node& node, const Tensors& dy) const {
    return {dy[0] * node.input(0) * 2.0};
  }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = v.in[0][i] * v.in[0][i];
  }
};

Tensor parameter(Graph& graph, const std::string& name, const Shape& shape) {
  return graph.read(name, {f32, shape}, true);
}

/// relu(norm(conv(x))), pooled, a linear layer, and a loss that is made of elementwise ops.
std::shared_ptr<Graph> net(Mode mode = Mode::train) {
  const auto graph = Graph::make(mode, f32, "net");
  Tensor x = graph->input("x", {f32, {4, 3, 8, 8}});
  x = conv2d(x, parameter(*graph, "conv.weight", {16, 3, 3, 3}),
             parameter(*graph, "conv.bias", {16}), {.padding = 1});
  const Tensors norm =
      batch_norm(x, parameter(*graph, "norm.weight", {16}), parameter(*graph, "norm.bias", {16}),
                 graph->read("norm.mean", {f32, {16}}), graph->read("norm.var", {f32, {16}}));
  if (mode == Mode::train) graph->update("norm.mean", norm[1]);
  x = global_avg_pool(relu(norm[0]));
  const Tensor y = linear(flatten(x), parameter(*graph, "fc.weight", {5, 16}),
                          parameter(*graph, "fc.bias", {5}));
  graph->output("output", y);
  graph->output("loss", mean(abs(y - graph->input("targets", {f32, {4, 5}}))));
  return graph;
}

/// The dtypes of the inputs and of the outputs of the only node called `op`: "bf16 f32 -> bf16".
std::string types_of(const Graph& graph, std::string_view op) {
  std::string text;
  for (const Node& node : graph.nodes()) {
    if (node.op.name() != op) continue;
    if (!text.empty()) return "several";
    for (int id : node.inputs) text += std::string(name(graph.value(id).type.dtype)) + " ";
    text += "->";
    for (int id : node.outputs) text += " " + std::string(name(graph.value(id).type.dtype));
  }
  return text;
}

TEST(Precision, ProductsAndWhatFollowsThemAreNarrow) {
  for (const DType dtype : {bf16, f16}) {
    const auto graph = narrow_precision(*net(), dtype);
    verify(*graph, "precision");
    const std::string d(name(dtype));
    EXPECT_EQ(types_of(*graph, "conv"), d + " " + d + " f32 -> " + d);
    EXPECT_EQ(types_of(*graph, "relu"), d + " -> " + d);
    EXPECT_EQ(types_of(*graph, "linear"), d + " " + d + " f32 -> " + d);
  }
}

TEST(Precision, NormsKeepParametersAndStatisticsInF32) {
  const auto graph = narrow_precision(*net(), bf16);
  EXPECT_EQ(types_of(*graph, "batch_norm"), "bf16 f32 f32 f32 f32 -> bf16 f32 f32 f32 f32 f32");
  for (const auto& [name, id] : graph->updates()) EXPECT_EQ(graph->value(id).type.dtype, f32);
}

TEST(Precision, OutputsAndTheLossThatIsMadeOfThemAreF32) {
  const auto graph = narrow_precision(*net(), bf16);
  for (const auto& [name, id] : graph->outputs()) EXPECT_EQ(graph->value(id).type.dtype, f32);
  EXPECT_EQ(types_of(*graph, "sub"), "f32 f32 -> f32");
  EXPECT_EQ(types_of(*graph, "abs"), "f32 -> f32");
  EXPECT_EQ(types_of(*graph, "sum_to"), "f32 -> f32");
}

TEST(Precision, GradientsOfParametersAreF32AndThoseOfValuesNarrow) {
  const auto graph = run_passes(*net(), {.loss = "loss", .precision = bf16});
  int gradients = 0;
  for (const auto& [name, id] : graph->updates()) {
    EXPECT_EQ(graph->value(id).type.dtype, f32) << name;
    gradients += name.starts_with(gradient_name(""));
  }
  EXPECT_EQ(gradients, 6);
  EXPECT_EQ(types_of(*graph, "conv_backward_weights"), "bf16 bf16 -> f32 f32");
  EXPECT_EQ(types_of(*graph, "batch_norm_backward"),
            "bf16 f32 f32 f32 f32 f32 bf16 -> bf16 f32 f32");
}

TEST(Precision, AnArrayThatIsReadTwiceIsCastOnce) {
  const auto graph = Graph::make(Mode::train, f32, "net");
  const Tensor weight = parameter(*graph, "weight", {16, 16, 1, 1});
  const Tensor x = graph->input("x", {f32, {2, 16, 4, 4}});
  graph->output("loss", mean(conv2d(conv2d(x, weight), weight)));
  const auto narrowed = narrow_precision(*graph, bf16);
  EXPECT_EQ(count(*narrowed, "cast"), 3);  // x, the weight, and the result for the sum
}

TEST(Precision, AnOpThatDoesNotSayMoreStaysF32AndItsCastsCancel) {
  const auto graph = Graph::make(Mode::train, f32, "net");
  const Tensor x =
      conv2d(graph->input("x", {f32, {2, 16, 4, 4}}), parameter(*graph, "weight", {16, 16, 1, 1}));
  const Tensor squares = graph->add_one(Square{}, {x});
  graph->output("squares", mean(squares));
  graph->output("named", x);  // f32 for the caller, and no second cast for the convolution after it
  graph->output("more", mean(conv2d(x, parameter(*graph, "second", {16, 16, 1, 1}))));
  const auto narrowed = narrow_precision(*graph, bf16);
  EXPECT_EQ(types_of(*narrowed, "square"), "f32 -> f32");
  EXPECT_EQ(count(*narrowed, "cast"),
            5);  // x, two weights, "named" and the last convolution's result
}

TEST(Precision, OfAFoldedNetWeightsAreFoldedInF32AndCastOnce) {
  const auto graph = run_passes(*net(Mode::eval), {.precision = bf16});
  EXPECT_EQ(types_of(*graph, "fold_batchnorm"), "f32 f32 f32 f32 f32 f32 -> f32 f32");
  EXPECT_EQ(types_of(*graph, "conv"), "bf16 bf16 f32 -> bf16");
}

TEST(Precision, OfAScaledLossGradientsAreDividedByTheScaleAgain) {
  const auto graph = run_passes(*net(), {.loss = "loss", .scale_loss = true, .precision = f16});
  EXPECT_EQ(count(*graph, "broadcast_div"), 6);
  for (const auto& [name, id] : graph->updates()) {
    if (!name.starts_with(gradient_name(""))) continue;
    EXPECT_EQ(graph->node(graph->value(id).node).op.name(), "broadcast_div") << name;
  }
}

TEST(Simplify, OfACastThatOnlyUndoesALosslessOneNothingIsLeft) {
  const auto graph = Graph::make(Mode::eval, f32, "net");
  const Tensor x = graph->input("x", {bf16, {4}}), y = graph->input("y", {f32, {4}});
  graph->output("same", cast(cast(x, f32), bf16));
  graph->output("rounded", cast(cast(y, bf16), f32));
  const auto simple = simplify(*graph);
  EXPECT_EQ(count(*simple, "cast"), 2);
}

}  // namespace
}  // namespace fovea
