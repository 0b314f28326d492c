#include "fovea/passes/fuse_elementwise.h"

#include "fovea/graph/print.h"
#include "fovea/graph/verify.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/fused.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/simplify.h"
#include "passes/nets.h"

namespace fovea::pass_test {
namespace {

Tensor vector(Graph& graph, const std::string& name) {
  return graph.input(name, {DType::f64, {6}});
}
Tensor scalar(Graph& graph, const std::string& name) { return graph.input(name, {DType::f64, {}}); }

std::shared_ptr<Graph> fused(const Graph& graph) {
  const auto result = simplify(*fuse_elementwise(graph));
  verify(*result);
  EXPECT_TRUE(same_results(graph, *result)) << print(graph) << print(*result);
  return result;
}

/// The kinds of instructions of the only fused node.
std::vector<FusedKind> kinds(const Graph& graph) {
  EXPECT_EQ(count(graph, "fused_elementwise"), 1);
  std::vector<FusedKind> result;
  for (const Node& node : graph.nodes()) {
    const auto* op = node.op.as<FusedElementwise>();
    if (op == nullptr) continue;
    for (const FusedInstruction& i : op->instructions()) result.push_back(i.kind);
  }
  return result;
}
using Kinds = std::vector<FusedKind>;

TEST(FuseElementwise, AnUpdateBecomesOneNode) {
  const auto graph = make(Mode::train);
  const Tensor p = parameter(*graph, "p", {6}), m = state(*graph, "m", {6});
  const Tensor lr = scalar(*graph, "lr"), scale = scalar(*graph, "scale");
  const Tensor g = vector(*graph, "g") * scale, b = 0.9 * m + (0.01 * p + g);
  graph->update("m", b);
  graph->update("p", p - lr * b);
  const auto result = fused(*graph);
  ASSERT_EQ(result->nodes().size(), 1u);
  EXPECT_EQ(result->node(0).outputs.size(), 2u);
  EXPECT_EQ(kinds(*result), (Kinds{FusedKind::mul, FusedKind::mul_add, FusedKind::mul_add,
                                   FusedKind::negative_mul_add}));
}

// As a reader of the formula expects: the first product of a sum, the product that is subtracted.
TEST(FuseElementwise, OneProductOfASumIsRoundedWithIt) {
  const auto of = [](const std::function<Tensor(const Tensor&, const Tensor&)>& f) {
    const auto graph = make(Mode::train);
    graph->output("y", f(vector(*graph, "a"), vector(*graph, "b")));
    return kinds(*fused(*graph));
  };
  using enum FusedKind;
  EXPECT_EQ(of([](auto& a, auto& b) { return a * b + a; }), Kinds{mul_add});
  EXPECT_EQ(of([](auto& a, auto& b) { return a + a * b; }), Kinds{mul_add});
  EXPECT_EQ(of([](auto& a, auto& b) { return a * a + b * b; }), (Kinds{mul, mul_add}));
  EXPECT_EQ(of([](auto& a, auto& b) { return a * b - a; }), Kinds{mul_sub});
  EXPECT_EQ(of([](auto& a, auto& b) { return a * a - b * b; }), (Kinds{mul, negative_mul_add}));
  EXPECT_EQ(of([](auto& a, auto& b) { return a * b + 3.0; }), Kinds{mul_add});
  EXPECT_EQ(of([](auto& a, auto& b) { return (2.0 * a + 1.0) / b; }), (Kinds{mul_add, div}));
  const Kinds used_twice = of([](auto& a, auto& b) {
    const Tensor product = a * b;
    return (product + a) * product;
  });
  EXPECT_EQ(used_twice, (Kinds{mul, add, mul}));
}

TEST(FuseElementwise, ValuesThatAreNeededElsewhereAreOutputs) {
  const auto graph = make(Mode::train);
  const Tensor x = vector(*graph, "x"), y = x * 2.0, z = sqrt(abs(y + 1.0));
  graph->output("y", y);
  graph->output("total", sum(y));
  graph->output("z", maximum(z, x) - 1.0);
  const auto result = fused(*graph);
  EXPECT_EQ(result->nodes().size(), 2u);  // and the sum
  EXPECT_EQ(result->node(0).outputs.size(), 2u);
}

// A norm between two parts of a chain: the second waits for it.
TEST(FuseElementwise, AChainEndsAtAnInterveningNode) {
  const auto graph = make(Mode::train);
  const Tensor x = vector(*graph, "x"), y = x * 2.0 + 1.0;
  const Tensor norm = sqrt(sum_of_squares(y) + 1.0);
  graph->output("z", y / norm + y * 3.0);
  const auto result = fused(*graph);
  EXPECT_EQ(count(*result, "fused_elementwise"), 3);  // y, the norm from its squares on, z
  EXPECT_EQ(result->nodes().size(), 4u);
}

TEST(FuseElementwise, ScalarsAreComputedSeparatelyAndCastWhereTheyAreRead) {
  const auto graph = Graph::make(Mode::train, DType::f32);
  const Tensor x = graph->input("x", {DType::f32, {6}});
  const Tensor lr = scalar(*graph, "lr"), rate = lr / (1.0 - pow(0.9, lr));
  graph->output("y", x - cast(rate, DType::f32) * x);
  const auto result = fused(*graph);
  EXPECT_EQ(result->nodes().size(), 2u);
  EXPECT_EQ(count(*result, "cast"), 0);
}

TEST(FuseElementwise, LeavesOtherNodesUnchanged) {
  const auto graph = make(Mode::train);
  const Tensor x = vector(*graph, "x"), row = graph->input("row", {DType::f64, {2, 3}});
  graph->output("alone", x * 2.0);  // one op
  graph->output("count", increment(graph->input("n", {DType::i64, {6}})));
  graph->output("axes", row * graph->input("column", {DType::f64, {2, 1}}) + row);
  const auto result = fused(*graph);
  EXPECT_EQ(count(*result, "fused_elementwise"), 0);
  EXPECT_EQ(result->nodes().size(), graph->nodes().size());
}

TEST(FuseElementwise, PreservesTheResultsOfRandomChains) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed, "chains");
    const auto graph = make(Mode::train);
    Tensors values{vector(*graph, "a"), vector(*graph, "b"), scalar(*graph, "c"),
                   scalar(*graph, "d")};
    for (int i = 0; i < 25; ++i) {
      const Tensor a = values[random.below(values.size())], b = values[random.below(values.size())];
      switch (random.below(8)) {
        case 0:
          values.push_back(a + b);
          break;
        case 1:
          values.push_back(a - b);
          break;
        case 2:
          values.push_back(tanh(a) * b);
          break;
        case 3:
          values.push_back(maximum(a, b));
          break;
        case 4:
          values.push_back(0.5 * a);
          break;
        case 5:
          values.push_back(a - 0.25);
          break;
        case 6:
          values.push_back(mean(a));
          break;
        default:
          values.push_back(a * 0.5 + b);
      }
    }
    graph->output("last", values.back());
    graph->output("middle", values[values.size() / 2]);
    (void)fused(*graph);
    if (testing::Test::HasFailure()) FAIL() << seed;
  }
}

}  // namespace
}  // namespace fovea::pass_test
