#include "fovea/nn/norm.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/nn.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

// PyTorch's momentum=None: these are the statistics after three batches through nn.BatchNorm1d(1,
// momentum=None).
TEST(BatchNorm, WithoutAMomentumTheStatisticsAreTheMeanOverAllBatches) {
  const nn::BatchNorm1d norm(nn::Scope("norm"), 1, {.momentum = std::nullopt});
  State state;
  nn::declare(state, norm, 0);
  const Program program(*nn::trace(norm, {2, 1}, Mode::train));
  Memory memory;
  for (const std::vector<float>& batch : {std::vector<float>{1, 3}, {2, 8}, {0, 0}}) {
    program.run(memory, state, {{"input", Array::of(batch, {2, 1})}});
  }
  EXPECT_FLOAT_EQ(static_cast<float>(state.get("running_mean").item()), 7.0f / 3);
  EXPECT_FLOAT_EQ(static_cast<float>(state.get("running_var").item()), 20.0f / 3);
  EXPECT_EQ(state.get("num_batches_tracked").item(), 3);
}

/// A convolution and its norm.
class ConvNorm : public nn::Module {
 public:
  explicit ConvNorm(bool affine)
      : Module(nn::Scope("net")),
        conv(at("conv"), 2, 3, {.kernel = 3}),
        norm(at("norm"), 3, {.affine = affine}) {}
  Tensor forward(Tensor x) const override { return norm(conv(x)); }
  nn::Conv2d conv;
  nn::BatchNorm2d norm;
};

Array output_of(const ConvNorm& net, Mode mode) {
  State state;
  nn::declare(state, net, 1);
  Array x(DType::f32, {2, 2, 5, 5});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(i * 7 % 11) - 5);
  const Program program(*nn::trace(net, x.shape(), mode));
  const auto is_norm = [](const StepInfo& step) { return step.op == "batch_norm_eval"; };
  EXPECT_EQ(std::ranges::count_if(program.steps(), is_norm), 0);  // folded into the convolution
  Memory memory;
  return program.run(memory, state, {{"input", x}})[0].clone();
}

TEST(BatchNorm, WithoutAffineIsOneWithAWeightOf1AndABiasOf0) {
  const ConvNorm with(true), without(false);
  EXPECT_EQ(with.variables().size(), without.variables().size() + 2);
  for (const Mode mode : {Mode::train, Mode::eval}) {
    const Array a = output_of(with, mode), b = output_of(without, mode);
    for (int64_t i = 0; i < a.numel(); ++i) ASSERT_EQ(a.at(i), b.at(i)) << i;
  }
}

TEST(BatchNorm, WithoutAffineIsFrozenWithItsStatistics) {
  const ConvNorm net(false);
  const auto ops = [&](const std::string& frozen) {
    const auto graph = Graph::make(Mode::train);
    graph->freeze([=](std::string_view name) { return name.starts_with(frozen); });
    net(graph->input("input", {DType::f32, {2, 2, 5, 5}}));
    return graph->updates().size();
  };
  EXPECT_EQ(ops("conv"), 3u);
  EXPECT_EQ(ops("norm"), 0u);
}

}  // namespace
}  // namespace fovea
