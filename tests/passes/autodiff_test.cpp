#include "fovea/passes/autodiff.h"

#include <cmath>

#include "error_text.h"
#include "fovea/graph/verify.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/norm.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/fuse.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

double loss_at(const Graph& graph, const Leaves& leaves) {
  return results(graph, leaves).at("loss").at(0);
}

/// Every trainable array's gradient against central differences along a random direction; its
/// update is missing only where the loss does not depend on it.
void check_gradients(const Graph& graph) {
  const auto derived = autodiff(graph, "loss");
  verify(*derived, "autodiff");
  const Leaves leaves = random_leaves(graph, 1), all = results(*derived, leaves);
  for (const Value& value : graph.values()) {
    if (!value.trainable) continue;
    Random random(2, value.name);
    Leaves up = leaves, down = leaves;
    std::vector<double> direction(leaves.at(value.name).size());
    constexpr double h = 1e-5;
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = random.normal();
      up[value.name][i] += h * direction[i];
      down[value.name][i] -= h * direction[i];
    }
    const double expected = (loss_at(graph, up) - loss_at(graph, down)) / (2 * h);
    const auto found = all.find("update grad:" + value.name);
    if (found == all.end()) {
      EXPECT_EQ(expected, 0) << value.name << " has no gradient";
      continue;
    }
    double got = 0, scale = 0;
    for (size_t i = 0; i < direction.size(); ++i) {
      got += found->second[i] * direction[i];
      scale += std::abs(found->second[i] * direction[i]);
    }
    EXPECT_NEAR(got, expected, 1e-7 * scale + 1e-9) << value.name;
  }
}

Tensor input(Graph& graph, const Shape& shape) { return graph.input("x", {DType::f64, shape}); }

TEST(Autodiff, OfABranchedResidualNetIsItsCentralDifference) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor x = input(*graph, {2, 16, 4, 4});
  const Tensor stem = silu(norm_layer(conv_layer(x, "stem", true), "bn"));
  const Tensor left = tanh(conv_layer(stem, "left")),
               right = avg_pool2d(stem, {.kernel = 3, .stride = 1, .padding = 1});
  const Tensor joined = norm_layer(left * right + stem, "join");
  const Tensor flat = flatten(global_avg_pool(concat({joined, stem}, 1)));
  const Tensor y =
      linear(flat, parameter(*graph, "fc.weight", {3, 32}), parameter(*graph, "fc.bias", {3}));
  graph->output("loss", mean(y * y));
  check_gradients(*graph);
}

TEST(Autodiff, AddsTheGradientsOfWeightsUsedTwice) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  Tensor y = input(*graph, {2, 16, 3, 3});
  for (int i = 0; i < 3; ++i) y = tanh(conv_layer(y, "shared", true)) + y;
  graph->output("loss", mean(y * y));
  check_gradients(*graph);
  EXPECT_EQ(autodiff(*graph, "loss")->updates().size(), 2u);
}

/// A net whose values are bf16 and parameters f32, or all float64; one weight is used twice, in two
/// ways.
std::shared_ptr<Graph> mixed_net(bool mixed) {
  const DType wide_type = mixed ? DType::f32 : DType::f64;
  const auto graph = Graph::make(Mode::train, wide_type);
  const auto array = [&](const std::string& name, const Shape& shape, bool trainable = true) {
    return graph->read(name, {wide_type, shape}, trainable);
  };
  const auto value = [&](const Tensor& t) { return mixed ? cast(t, DType::bf16) : t; };
  const Tensor w = value(array("w", {8, 4, 3, 3}));
  Tensor y = conv(value(graph->input("x", {wide_type, {2, 4, 6, 6}})), w, array("b", {8}));
  y = batch_norm(y, array("gamma", {8}), array("beta", {8}), array("mean", {8}, false),
                 array("var", {8}, false))[0];
  y = prelu(y, array("slope", {8}));
  y = layer_norm_channels(y, array("scale", {8}), array("shift", {8}));
  y = conv_transpose(y, w, array("tb", {4}));
  y = linear(flatten(y), value(array("fc.w", {3, 144})), array("fc.b", {3}));
  y = cast(y, wide_type);
  graph->output("loss", mean(y * y) + cast(sum(w * w), wide_type));
  return graph;
}

TEST(Autodiff, GradientsOfParametersBesideBf16AreF32AndThoseOfFloat64) {
  const auto mixed = autodiff(*mixed_net(true), "loss"),
             exact = autodiff(*mixed_net(false), "loss");
  verify(*mixed, "autodiff");
  ASSERT_EQ(mixed->updates().size(), 10u);
  for (const auto& [name, id] : mixed->updates())
    EXPECT_EQ(mixed->value(id).type.dtype, DType::f32) << name;
  for (const Node& node : mixed->nodes()) {  // what is summed over a batch is not rounded first
    if (node.op.as<Cast>() == nullptr || node.output(0).dtype() != DType::f32) continue;
    const Value& from = mixed->value(node.inputs[0]);
    if (from.node < 0) continue;
    const std::string_view op = mixed->node(from.node).op.name();
    EXPECT_FALSE(op == "conv_backward_weights" || op == "batch_norm_backward" || op == "matmul")
        << op << " gives " << to_string(from.type);
  }
  // References compute in float64 whatever the types: the casts are all that differs.
  EXPECT_TRUE(same_results(*mixed, *exact));
}

TEST(Autodiff, SkipsParametersThatTheLossDoesNotDependOn) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor x = input(*graph, {2, 16, 3, 3});
  const Tensor used = conv_layer(x, "used"), aside = conv_layer(x, "aside");
  (void)parameter(*graph, "never", {4});
  graph->output("loss", mean(used * used));
  graph->output("other", aside);
  check_gradients(*graph);
  const auto derived = autodiff(*graph, "loss");
  ASSERT_EQ(derived->updates().size(), 1u);
  EXPECT_EQ(derived->updates()[0].first, "grad:used.weight");
}

TEST(Autodiff, TakesNoGradientOfFrozenArrays) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor x = input(*graph, {2, 3});
  const Tensor h = tanh(linear(x, state(*graph, "frozen", {4, 3})));
  graph->output("loss", mean(linear(h, parameter(*graph, "head", {2, 4}))));
  const auto derived = autodiff(*graph, "loss");
  ASSERT_EQ(derived->updates().size(), 1u);
  EXPECT_EQ(derived->updates()[0].first, "grad:head");
  EXPECT_EQ(count(*derived, "tanh_backward"), 0);  // nothing after the head needs a gradient
}

TEST(Autodiff, OfRandomNetsAndOfTheirFusedFormsAgree) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed, "nets");
    const auto graph = random_net(random, Mode::train);
    const auto derived = autodiff(*graph, "loss");
    verify(*derived, "autodiff");
    EXPECT_EQ(results(*derived).at("loss"), results(*graph).at("loss"));
  }
}

TEST(Autodiff, AccumulatesOntoGradientsInTheState) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor w = parameter(*graph, "w", {3});
  graph->output("loss", sum(w * w));
  const Leaves leaves{{"w", {1, 2, 3}}, {"grad:w", {10, 20, 30}}};
  EXPECT_EQ(results(*autodiff(*graph, "loss"), leaves).at("update grad:w"),
            (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(results(*autodiff(*graph, "loss", {.accumulate = true}), leaves).at("update grad:w"),
            (std::vector<double>{12, 24, 36}));
}

TEST(Autodiff, KeepsOutputsAndUpdatesOfTheForwardPass) {
  Random random(3, "nets");
  const auto graph = random_net(random, Mode::train);
  const Leaves before = results(*graph), after = results(*autodiff(*graph, "loss"));
  for (const auto& [name, data] : before) EXPECT_EQ(after.at(name), data) << name;
}

TEST(Autodiff, GradientsForValuesInTheMiddle) {
  const auto graph = Graph::make(Mode::eval, DType::f64);
  const Tensor x = input(*graph, {2, 2});
  const Tensor h = x * x, loss = sum(h * 3.0);
  const Tensors g = gradients(loss, {h, x, graph->input("apart", {DType::f64, {2}})});
  graph->output("dh", g[0]);
  graph->output("dx", g[1]);
  EXPECT_FALSE(g[2]);
  const Leaves r = results(*graph, {{"x", {1, 2, 3, 4}}, {"apart", {0, 0}}});
  EXPECT_EQ(r.at("dh"), (std::vector<double>{3, 3, 3, 3}));
  EXPECT_EQ(r.at("dx"), (std::vector<double>{6, 12, 18, 24}));
}

TEST(Autodiff, RulesReplaceTheGradientsOfAnOpType) {
  const auto graph = Graph::make(Mode::eval, DType::f64);
  const Tensor x = input(*graph, {4});
  const Tensor y = sum(tanh(x) * graph->constant(Array::of<double>({1, -1, 2, -2})));
  const auto gradient = [&](const GradientRules& rules) {
    const Tensor dx = gradients(y, {x}, {}, rules)[0];
    const std::string name = "dx" + std::to_string(graph->outputs().size());
    graph->output(name, dx);
    return results(*graph, {{"x", {0.5, 0.5, -1, -1}}}).at(name);
  };
  const double a = 1 - std::tanh(0.5) * std::tanh(0.5), b = 1 - std::tanh(1.0) * std::tanh(1.0);
  const auto expect_near = [](const std::vector<double>& got, const std::vector<double>& wanted) {
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], wanted[i], 1e-12) << i;
  };
  expect_near(gradient({}), {a, -a, 2 * b, -2 * b});
  GradientRules guided, straight, other;
  guided.replace<Unary>(
      [](const Node& node, const Tensors& dy) { return node.op.gradient(node, {relu(dy[0])}); });
  straight.replace<Unary>([](const Node&, const Tensors& dy) { return dy; });
  other.replace<Affine>([](const Node&, const Tensors&) { return Tensors{Tensor()}; });
  expect_near(gradient(guided), {a, 0, 2 * b, 0});
  expect_near(gradient(straight), {1, -1, 2, -2});
  expect_near(gradient(other), {a, -a, 2 * b, -2 * b});
}

TEST(Autodiff, RulesReachTheGradientsOfParameters) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor w = parameter(*graph, "w", {3});
  graph->output("loss", sum(sign(w)));
  GradientRules rules;  // a straight-through estimator
  rules.replace<Unary>([](const Node&, const Tensors& dy) { return dy; });
  const Leaves all = results(*autodiff(*graph, "loss", {.rules = rules}), {{"w", {-1, 2, 3}}});
  EXPECT_EQ(all.at("update grad:w"), (std::vector<double>{1, 1, 1}));
}

TEST(Autodiff, ARuleGivesAGradientToAnOpThatHasNone) {
  const auto graph = Graph::make(Mode::eval, DType::f64);
  const Tensor x = input(*graph, {2, 2});
  const Tensor masked = graph->add_one(UnaryBackward{UnaryKind::relu, 0}, {x, x});
  GradientRules rules;
  rules.replace<UnaryBackward>([](const Node&, const Tensors& dy) { return Tensors{dy[0]}; });
  EXPECT_TRUE(gradients(sum(masked), {x}, {}, rules)[0]);
  expect_error(ErrorKind::usage, "relu_backward has no gradient",
               [&] { (void)gradients(sum(masked), {x}); });
}

TEST(Autodiff, AGradientBelongsToTheCallsOfItsNode) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  Tensor x = input(*graph, {2, 16, 3, 3});
  const auto call = [&](const std::string& name, const std::function<Tensor(Tensor)>& forward) {
    graph->enter(name, {}, "", {x});
    x = forward(x);
    graph->leave({x});
  };
  call("conv", [](const Tensor& t) { return conv_layer(t, "conv"); });
  call("bn", [](const Tensor& t) { return norm_layer(t, "bn"); });
  call("act", [](const Tensor& t) { return relu(t); });
  graph->output("loss", mean(x * x));
  const auto fused = fuse_norm(*graph), derived = autodiff(*fused, "loss", {.accumulate = true});
  verify(*derived);
  std::map<std::string_view, const Origin*> origins;
  for (size_t i = 0; i < derived->nodes().size(); ++i) {
    const Node& node = derived->nodes()[i];
    origins[node.op.name()] = &node.origin;
    EXPECT_EQ(node.origin.backward, i >= fused->nodes().size()) << node.op.name();
  }
  EXPECT_EQ(origins.at("conv_backward_weights")->call, 0);
  for (const char* op : {"batch_norm", "batch_norm_backward"}) {
    EXPECT_EQ(origins.at(op)->call, 1) << op;
    EXPECT_EQ(origins.at(op)->fused, std::vector{2}) << op;
  }
  // Gradients added to those of earlier batches belong there, too.
  EXPECT_EQ(derived->node(static_cast<int>(derived->nodes().size()) - 1).op.name(), "add");
  EXPECT_GE(derived->node(static_cast<int>(derived->nodes().size()) - 1).origin.call, 0);
}

TEST(Autodiff, SaysWhatALossMustBe) {
  const auto graph = Graph::make(Mode::train, DType::f64);
  const Tensor w = parameter(*graph, "w", {3});
  graph->output("loss", w * w);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)autodiff(*graph, "loss"); }),
            "gradients: the loss must be a single float\n"
            "  loss    f64[3]\n"
            "  try     its mean or sum");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)autodiff(*graph, "los"); }),
            "graph: no output is named \"los\"\n"
            "  outputs loss");
}

TEST(Autodiff, WhatIsComputedFromAnArgmaxIsConstant) {
  const auto graph = Graph::make(Mode::eval, DType::f32);
  const Tensor x = graph->input("x", {DType::f32, {1, 3}});
  const Tensor chosen = one_hot(argmax(x), 3, DType::f32);  // of the largest
  EXPECT_TRUE(gradients(sum(x * chosen), {x})[0]);
  EXPECT_FALSE(gradients(sum(chosen), {x})[0]);
}

TEST(Autodiff, SaysWhichOpHasNoGradient) {
  const auto graph = Graph::make(Mode::train, DType::f64, "net");
  const Tensor w = parameter(*graph, "w", {3});
  const Tensor once = gradients(sum(tanh(w)), {w})[0];
  graph->output("loss", sum(once));
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)autodiff(*graph, "loss"); }),
            "tanh_backward has no gradient\n"
            "  at      net\n"
            "  try     a loss that does not depend on it");
}

}  // namespace
}  // namespace fovea::pass_test
