// An op that Fovea does not know: what docs/adding-an-op.md promises to users who write their own.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "error_text.h"
#include "fovea/graph/print.h"
#include "fovea/nn.h"
#include "fovea/ops/problem.h"
#include "fovea/optim/sgd.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/cost.h"
#include "fovea/passes/receptive_field.h"
#include "fovea/passes/simplify.h"
#include "fovea/passes/summary.h"
#include "fovea/train/step.h"
#include "ops/draw.h"
#include "ops/harness.h"

namespace fovea {
namespace {

/// y = log(1 + exp(beta * x)) / beta, elementwise: a smooth relu.
struct Softplus {
  double beta = 1;

  static void fields(auto& op, auto&& visit) { visit("beta", op.beta); }

  static constexpr std::string_view name = "softplus";
  static constexpr Traits traits{.elementwise = true, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const { return {in[0]}; }
  Tensors gradient(const Node& node, const Tensors& dy) const {
    return {dy[0] * sigmoid(node.input(0) * beta)};
  }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) {
      v.out[0][i] = std::log1p(std::exp(beta * v.in[0][i])) / beta;
    }
  }
};

Tensor softplus(const Tensor& x, double beta) { return x.graph().add_one(Softplus{beta}, {x}); }

struct WithoutReference {
  static constexpr std::string_view name = "without_reference";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node&, const Tensors& dy) const { return dy; }
};
static_assert(OpRule<Softplus> && !OpRule<WithoutReference>,
              "an op that lacks a rule must not compile");

TEST(AnOpFromOutside, HasItsGradientChecked) {
  for (int i = 0; i < 50; ++i) {
    Random random(7, "softplus", static_cast<uint64_t>(i));
    const Shape shape = harness::pick_shape(random, 0, 4);
    harness::check_gradient(
        {"softplus", Softplus{0.5 + random.uniform()}, {{{DType::f64, shape}, harness::normal}}},
        1e-6);
  }
}

/// A convolution, the op, global pooling and a linear layer.
class Net : public nn::Module {
 public:
  explicit Net(const nn::Scope& s)
      : Module(s), conv(at("conv"), 1, 4, {.kernel = 3, .padding = 1}), fc(at("fc"), 4, 2) {}
  Tensor forward(Tensor x) const override {
    return fc(flatten(global_avg_pool(softplus(conv(x), 2))));
  }
  nn::Conv2d conv;
  nn::Linear fc;
};

TEST(AnOpFromOutside, TrainsInANet) {
  // Bright images against dark ones: a wrong gradient or layout would not learn this.
  Array images(DType::f32, {8, 1, 6, 6}), labels(DType::i64, {8});
  Random random(1, "images");
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.set(i, (i / 36 % 2 ? 1 : -1) + 0.1 * random.normal());
  }
  for (int64_t i = 0; i < 8; ++i) labels.set(i, static_cast<double>(i % 2));
  const Net net(nn::Scope("net"));
  State state;
  nn::declare(state, net, 1);
  train::TrainStep step(net, state, {});
  const auto optimizer = optim::sgd({.momentum = 0.9});
  optimizer->declare(state);
  double loss = 1;
  for (int64_t i = 1; i <= 60; ++i) {
    loss = step.gradient(images, labels, i).loss;
    optimizer->update(state, {.lr = 0.1});
  }
  EXPECT_LT(loss, 0.05);
  // It is slow there, and the program says so: that is what a kernel rule is for.
  bool found = false;
  for (const StepInfo& slow :
       step.program({DType::f32, images.shape()}, {DType::i64, labels.shape()}).reference_steps()) {
    found |= slow.op == "softplus";
  }
  EXPECT_TRUE(found);
}

/// y = 3 x, under the name of one of Fovea's own ops, with traits that passes look at.
struct Impostor {
  int64_t which = 0;  ///< of all_ops()

  static void fields(auto& op, auto&& visit) { visit.in_name("which", op.which); }

  static constexpr Traits traits{.elementwise = true, .layout = LayoutRule::channelwise};

  std::string_view name() const { return all_ops()[static_cast<size_t>(which)].name(); }
  Types infer(const Types& in) const { return {{in[0].dtype, in[0].shape}}; }
  Tensors gradient(const Node&, const Tensors& dy) const { return {dy[0] * 3.0}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = 3 * v.in[0][i];
  }
};

class AnOpFromOutsideNamed : public ::testing::TestWithParam<int64_t> {
 protected:
  const Op& builtin() const { return all_ops()[static_cast<size_t>(GetParam())]; }
  Tensor impostor(const Tensor& x) const { return x.graph().add_one(Impostor{GetParam()}, {x}); }
};

// Passes, kernels and analyses that went by the name would take it for Fovea's own.
TEST_P(AnOpFromOutsideNamed, LikeABuiltInIsComputedAsItself) {
  for (const Mode mode : {Mode::train, Mode::eval}) {
    const auto graph = Graph::make(mode);
    const Type image{DType::f32, {2, 16, 4, 4}}, vector{DType::f32, {16}};
    const Tensor given = graph->read("x", image, true), one = graph->read("one", vector);
    const Tensor input = graph->input("input", image), x = given + input;
    const Tensor w = graph->constant(Array::full(DType::f32, {16, 1, 1, 1}, 1));
    // Where fusing and folding look for a norm, an add and a relu, or a convolution before them.
    Tensor y = conv2d(impostor(x), w, {}, {.groups = 16});
    y = impostor(batch_norm_eval(impostor(y), one, one, one, one, 0));
    y = relu(impostor(y) + impostor(x));
    graph->output("output", y);
    if (mode == Mode::train) graph->output("loss", sum(y));

    const Program program(*graph, {.passes = {.loss = mode == Mode::train ? "loss" : ""}});
    State state;
    state.declare("x", image, Role::parameter);
    state.declare("one", vector, Role::buffer);
    state.declare(gradient_name("x"), image, Role::gradient);
    state.set("x", Array::full(DType::f32, image.shape, 2));
    state.set("one", Array::full(DType::f32, vector.shape, 1));
    Memory memory;
    EXPECT_EQ(
        program.run(memory, state, {{"input", Array::zeros(DType::f32, image.shape)}})[0].at(0),
        3 * 3 * (3 * 3 * 2) + 3 * 2);
    if (mode == Mode::train) {
      EXPECT_EQ(state.get(gradient_name("x")).at(0), 3 * 3 * 3 * 3 + 3);
    }
    const std::string name(builtin().name());
    EXPECT_NE(print(program.graph()).find(" = " + name + "("), std::string::npos);
    EXPECT_TRUE(std::ranges::any_of(program.reference_steps(),
                                    [&](const StepInfo& step) { return step.op == name; }));
    EXPECT_FALSE(cost(program.graph()).empty());
    EXPECT_FALSE(receptive_fields(*graph, input).empty());
    EXPECT_NO_THROW((void)summarize(*graph, {}));
  }
}

TEST_P(AnOpFromOutsideNamed, LikeABuiltInIsNotMergedWithIt) {
  const auto graph = Graph::make(Mode::eval);
  const Tensor x = graph->input("x", {DType::f32, {2, 16, 4, 4}});
  const Op same = builtin().with({});
  EXPECT_EQ(same, builtin());
  EXPECT_FALSE(Op(Impostor{GetParam()}) == same);
  Types types;
  try {
    types = same.infer({x.type()});
  } catch (const Error&) {
    return;  // of another number of inputs
  }
  graph->output("a", impostor(x));
  graph->output("b", impostor(x));
  graph->output("c", graph->add(same, {x})[0]);
  EXPECT_EQ(simplify(*graph)->nodes().size(), 2u);
}

// Problem texts are read as an op of whichever list they are looked up in.
TEST_P(AnOpFromOutsideNamed, LikeABuiltInIsReadFromItsOwnList) {
  const std::vector<Op> own{Impostor{GetParam()}};
  const Types types{{DType::f32, {2, 3}}};
  const OpCall call = parse_problem(problem_text(own[0], types, types), own);
  EXPECT_EQ(call.op, own[0]);
  expect_error(ErrorKind::usage, "is not a convolution", [&] { (void)backward_data(call); });
}

INSTANTIATE_TEST_SUITE_P(Ops, AnOpFromOutsideNamed,
                         ::testing::Range<int64_t>(0, static_cast<int64_t>(all_ops().size())),
                         [](const auto& at) {
                           return std::string(all_ops()[static_cast<size_t>(at.param)].name());
                         });

/// A user's op, fast with a kernel of its own.
TEST(AnOpFromOutside, HasAKernelByItsType) {
  struct Doubling final : Kernel {
    void run(const Args& args) const override { args.output<float>(0)[0] = 2; }
  };
  add_kernel_rule<Impostor>({"doubling", [](const Problem& problem) -> Offer {
                               if (problem.in[0].numel() != 1) return Refusal{"only one number"};
                               return std::make_unique<Doubling>();
                             }});
  const Types one{{DType::f32, {1}}};
  const size_t at = static_cast<size_t>(
      std::ranges::find(all_ops(), std::string_view("relu"), &Op::name) - all_ops().begin());
  EXPECT_EQ(choose_kernel({Impostor{static_cast<int64_t>(at)}, one, one, 1}).name, "doubling");
  EXPECT_EQ(choose_kernel({Unary{}, one, one, 1}).name, "simd");
}

}  // namespace
}  // namespace fovea
