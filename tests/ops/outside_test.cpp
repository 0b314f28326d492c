// An op that Fovea does not know: what docs/adding-an-op.md promises to users who write their own.

#include <gtest/gtest.h>

#include <cmath>

#include "fovea/nn.h"
#include "fovea/optim/optimizer.h"
#include "fovea/train/step.h"
#include "ops/draw.h"
#include "ops/harness.h"

namespace fovea {
namespace {

/// y = log(1 + exp(beta * x)) / beta, element by element: a smooth relu.
struct Softplus {
  double beta = 1;

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
  std::string attributes() const { return "beta=" + std::to_string(beta); }
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
  // Bright images against dark ones: a gradient or a layout that is wrong does not get there.
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

}  // namespace
}  // namespace fovea
