// A training step whose values and weights are bf16, its parameters and their gradients f32.

#include <gtest/gtest.h>

#include <cmath>

#include "fovea/core/random.h"
#include "fovea/ops.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

constexpr auto f32 = DType::f32;

/// A residual net with most kinds of layers; values and weights in `dtype`.
std::shared_ptr<Graph> traced_net(DType dtype) {
  const auto graph = Graph::make(Mode::train, f32);
  const auto array = [&](const std::string& name, const Shape& shape) {
    return graph->read(name, {f32, shape}, true);
  };
  const auto weight = [&](const std::string& name, const Shape& shape) {
    return cast(array(name, shape), dtype);
  };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    const Shape c{x.dim(1)};
    const Tensor mean = graph->read(name + ".mean", {f32, c}),
                 var = graph->read(name + ".var", {f32, c});
    return batch_norm(x, array(name + ".gamma", c), array(name + ".beta", c), mean, var)[0];
  };
  const Tensor image = cast(graph->input("image", {f32, {16, 3, 16, 16}}), dtype);
  Tensor x = conv2d(image, weight("stem", {32, 3, 3, 3}), {}, {.padding = 1});
  x = max_pool2d(relu(norm(x, "bn0")), {.kernel = 3, .stride = 2, .padding = 1});
  Tensor y = conv2d(x, weight("conv1", {32, 32, 3, 3}), {}, {.padding = 1});
  y = conv2d(relu(norm(y, "bn1")), weight("conv2", {32, 32, 1, 1}));
  x = relu(norm(y, "bn2") + x);
  const Tensor gate = sigmoid(adaptive_avg_pool2d(x, {1, 1}));
  y = avg_pool2d(silu(x * gate), {.kernel = 3, .stride = 1, .padding = 1});
  y = conv2d(concat({y, x}, 1), weight("conv3", {48, 64, 3, 3}), array("conv3.bias", {48}),
             {.stride = 2, .padding = 1});
  y = layer_norm_channels(y, array("ln.gamma", {48}), array("ln.beta", {48}));
  y = dropout(flatten(adaptive_avg_pool2d(y, {2, 2})), 0.1);
  y = linear(y, weight("fc", {10, 192}), array("fc.bias", {10}));
  graph->output("loss", cross_entropy(cast(y, f32), graph->input("label", {DType::i64, {16}})));
  return graph;
}

struct Step {
  explicit Step(DType dtype) : program(*traced_net(dtype), {.passes = {.loss = "loss"}}) {
    for (const Value& value : program.graph().values()) {
      if (value.leaf != Leaf::state) continue;
      state.declare(value.name, value.type, Role::parameter, [name = value.name](Array& array) {
        Random random(1, name);
        for (float& v : array.data<float>())
          v = name.ends_with("gamma") || name.ends_with("var")
                  ? 1.f
                  : static_cast<float>(0.1 * random.normal());
      });
    }
    for (const auto& [name, id] : program.graph().updates())
      state.declare(name, program.graph().value(id).type, Role::gradient);
  }

  double run() {
    Random random(2, "data");
    Array image(f32, {16, 3, 16, 16}), label(DType::i64, {16}), key(DType::i64, {2});
    for (float& v : image.data<float>()) v = static_cast<float>(random.normal());
    for (int64_t& v : label.data<int64_t>()) v = static_cast<int64_t>(random.below(10));
    key.set(0, 3);
    key.set(1, 1);
    return program.run(memory, state, {{"image", image}, {"label", label}, {"random", key}})[0]
        .item();
  }

  Program program;
  State state;
  Memory memory;
};

TEST(MixedPrecision, AStepIsThatOfF32WithinRounding) {
  Step mixed(DType::bf16), exact(f32);
  const double loss = exact.run();
  EXPECT_NEAR(mixed.run(), loss, 0.02 * loss);
  for (const std::string& name : exact.state.names(Role::gradient)) {
    const Array &got = mixed.state.get(name), &expected = exact.state.get(name);
    ASSERT_EQ(got.dtype(), f32) << name;
    double difference = 0, size = 0;
    for (int64_t i = 0; i < expected.numel(); ++i) {
      difference += std::pow(got.at(i) - expected.at(i), 2);
      size += std::pow(expected.at(i), 2);
    }
    // Where a maximum has a near neighbour, its gradient may go there.
    EXPECT_LT(std::sqrt(difference), 0.2 * std::sqrt(size)) << name;
  }
}

TEST(MixedPrecision, MeetsNoReferenceKernel) {
  for (const StepInfo& step : Step(DType::bf16).program.reference_steps())
    ADD_FAILURE() << step.problem;
}

}  // namespace
}  // namespace fovea
