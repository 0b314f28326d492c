#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "error_text.h"
#include "fovea/nn.h"
#include "fovea/passes/autodiff.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

using Build = std::function<std::unique_ptr<nn::Module>(const nn::Scope&)>;

/// A block built by `M(scope, arguments...)`.
template <class M, class... Arguments>
Build block(Arguments... arguments) {
  return [=](const nn::Scope& scope) { return std::make_unique<M>(scope, arguments...); };
}

struct Row {
  std::string name;
  Build build;
  int64_t parameters;
  Shape input, output;  ///< of one batch
};

using Separable = nn::DepthwiseSeparableOptions;
using Inverted = nn::InvertedResidual<nn::SiLU, nn::ConvSqueezeExcite<nn::SiLU>>;

/// Blocks with the parameter counts of the same blocks in PyTorch.
const std::vector<Row> rows{
    {"conv-norm-relu", block<nn::ConvNormAct<>>(3, 64), 1'856, {2, 3, 9, 9}, {2, 64, 9, 9}},
    {"conv-norm-relu with bias",
     block<nn::ConvNormAct<>>(3, 64, nn::ConvNormActOptions{.stride = 2, .bias = true}),
     1'920,
     {2, 3, 9, 9},
     {2, 64, 5, 5}},
    {"conv-norm", block<nn::ConvNormAct<nn::Identity>>(3, 8), 232, {2, 3, 9, 9}, {2, 8, 9, 9}},
    {"basic convolution, a row",
     block<nn::BasicConv2d>(3, 8, nn::BasicConv2dOptions{.kernel = {1, 7}, .padding = {0, 3}}),
     3 * 8 * 7 + 16,
     {2, 3, 9, 9},
     {2, 8, 9, 9}},
    {"multi-scale", block<nn::MultiScale>(3, 64), 7'168, {2, 3, 6, 7}, {2, 256, 6, 7}},
    {"multi-scale, wide", block<nn::MultiScale>(192, 64), 442'624, {1, 192, 5, 5}, {1, 256, 5, 5}},
    {"separable, bare",
     block<nn::DepthwiseSeparable>(64, 128, Separable{.norm = false}),
     8'960,
     {1, 64, 6, 6},
     {1, 128, 6, 6}},
    {"separable", block<nn::DepthwiseSeparable>(64, 128), 9'152, {1, 64, 6, 6}, {1, 128, 6, 6}},
    {"separable, 5x5 stride 2",
     block<nn::DepthwiseSeparable>(8, 4, Separable{.kernel = 5, .stride = 2}),
     8 * 25 + 16 + 32 + 8,
     {1, 8, 7, 7},
     {1, 4, 4, 4}},
    {"basic", block<nn::BasicBlock>(64, 64), 73'984, {1, 64, 6, 6}, {1, 64, 6, 6}},
    {"basic, wider", block<nn::BasicBlock>(64, 128, 2), 230'144, {1, 64, 32, 32}, {1, 128, 16, 16}},
    {"basic, stride only",
     block<nn::BasicBlock>(4, 4, 2),
     2 * (144 + 8) + 16 + 8,
     {1, 4, 6, 6},
     {1, 4, 3, 3}},
    {"bottleneck", block<nn::Bottleneck>(64, 64), 75'008, {1, 64, 6, 6}, {1, 256, 6, 6}},
    {"bottleneck, same", block<nn::Bottleneck>(256, 64), 70'400, {1, 256, 6, 6}, {1, 256, 6, 6}},
    {"bottleneck, 32 groups",
     block<nn::Bottleneck>(64, 64, 1, nn::BottleneckOptions{.groups = 32, .group_width = 4}),
     63'488,
     {1, 64, 6, 6},
     {1, 256, 6, 6}},
    {"bottleneck, twice as wide",
     block<nn::Bottleneck>(256, 64, 1, nn::BottleneckOptions{.group_width = 128}),
     256 * 128 + 128 * 128 * 9 + 128 * 256 + 2 * (128 + 128 + 256),
     {1, 256, 6, 6},
     {1, 256, 6, 6}},
    {"squeeze-excite by convolutions",
     block<nn::ConvSqueezeExcite<>>(16, 4),
     16 * 4 + 4 + 4 * 16 + 16,
     {2, 16, 5, 5},
     {2, 16, 5, 5}},
    {"inverted residual",
     block<Inverted>(8, 32, 8, nn::InvertedResidualOptions{.squeezed = 2, .drop_path = 0}),
     1'106,
     {2, 8, 6, 6},
     {2, 8, 6, 6}},
    {"inverted residual, bare",
     block<Inverted>(16, 16, 24, nn::InvertedResidualOptions{.kernel = 5, .stride = 2}),
     16 * 25 + 32 + 16 * 24 + 48,
     {1, 16, 7, 7},
     {1, 24, 4, 4}},
    {"squeeze-excite", block<nn::SqueezeExcite>(64), 512, {2, 64, 5, 5}, {2, 64, 5, 5}},
    {"squeeze-excite, narrow", block<nn::SqueezeExcite>(8, 16), 16, {2, 8, 5, 5}, {2, 8, 5, 5}},
    {"SE basic", block<nn::SEBasicBlock>(64, 64), 74'496, {1, 64, 6, 6}, {1, 64, 6, 6}},
    {"MBConv", block<nn::MBConv>(32, 32), 18'112, {2, 32, 6, 6}, {2, 32, 6, 6}},
    {"MBConv, no expansion",
     block<nn::MBConv>(32, 32, nn::MBConvOptions{.expansion = 1}),
     1'952,
     {2, 32, 6, 6},
     {2, 32, 6, 6}},
    {"dense layer", block<nn::DenseLayer>(64, 32), 45'440, {1, 64, 6, 6}, {1, 32, 6, 6}},
    {"dense layer 2", block<nn::DenseLayer>(96, 32), 49'600, {1, 96, 6, 6}, {1, 32, 6, 6}},
    {"dense layer 3", block<nn::DenseLayer>(128, 32), 53'760, {1, 128, 6, 6}, {1, 32, 6, 6}},
    {"dense layer 4", block<nn::DenseLayer>(160, 32), 57'920, {1, 160, 6, 6}, {1, 32, 6, 6}},
    {"dense block", block<nn::DenseBlock>(4, 64, 32), 206'720, {1, 64, 6, 6}, {1, 192, 6, 6}},
    {"ConvNeXt, no scale",
     block<nn::ConvNeXtBlock>(64, nn::ConvNeXtOptions{.layer_scale = std::nullopt}),
     36'416,
     {1, 64, 8, 8},
     {1, 64, 8, 8}},
    {"ConvNeXt", block<nn::ConvNeXtBlock>(64), 36'480, {1, 64, 8, 8}, {1, 64, 8, 8}},
    {"ConvNeXt 96", block<nn::ConvNeXtBlock>(96), 79'296, {1, 96, 4, 5}, {1, 96, 4, 5}},
    {"ConvNeXt 128", block<nn::ConvNeXtBlock>(128), 138'496, {1, 128, 4, 4}, {1, 128, 4, 4}},
    {"channel mixer", block<nn::ChannelMixer>(256, 64), 16'448, {1, 256, 5, 5}, {1, 64, 5, 5}},
};

Array noise(const Shape& shape, uint64_t seed) {
  Array array(DType::f32, shape);
  Random random(seed, "noise");
  for (float& value : array.data<float>()) value = static_cast<float>(random.normal());
  return array;
}

/// The output of a block with its initial weights for `x`.
Array evaluated(const nn::Module& module, const Array& x) {
  State state;
  nn::declare(state, module, 7);
  const Program program(*nn::trace(module, x.shape()));
  Memory memory;
  return program.run(memory, state, {{"input", x}})[0].clone();
}

TEST(Blocks, HaveTheirPublishedNumbersOfParameters) {
  for (const Row& row : rows) {
    int64_t parameters = 0;
    const auto module = row.build(nn::Scope("block"));
    for (const nn::Variable* v : module->parameters()) parameters += v->shape().numel();
    EXPECT_EQ(parameters, row.parameters) << row.name;
  }
}

TEST(Blocks, TrainAllTheirWeights) {
  // A weight that no gradient reaches never changes, and nobody notices.
  for (const Row& row : rows) {
    const auto module = row.build(nn::Scope("block"));
    State state;
    nn::declare(state, *module, 7);
    for (const nn::Variable* v : module->parameters()) {
      state.declare(gradient_name(v->name()), {DType::f32, v->shape()}, Role::gradient);
    }
    const auto graph = nn::trace(*module, row.input, Mode::train);
    const Tensor y = graph->output("output");
    EXPECT_EQ(y.shape(), row.output) << row.name;
    graph->output("loss", mean(y * graph->input("direction", y.type())));
    const Program program(
        *graph,
        {.passes = {.loss = "loss", .accumulate = false, .observe = nullptr}, .threads = 0});
    Memory memory;
    program.run(memory, state,
                {{"input", noise(row.input, 1)}, {"direction", noise(row.output, 2)}});
    for (const nn::Variable* v : module->parameters()) {
      const Array gradient = state.get(gradient_name(v->name()));
      double norm = 0;
      for (int64_t i = 0; i < gradient.numel(); ++i) norm += std::abs(gradient.at(i));
      EXPECT_TRUE(std::isfinite(norm)) << row.name << " " << v->name();
      EXPECT_GT(norm, 0) << row.name << " " << v->name();
    }
  }
}

TEST(Blocks, HaveTheNamesOfTheirNets) {
  const auto names = [](const nn::Module& module) {
    std::vector<std::string> result;
    for (const nn::Variable* v : module.parameters()) result.push_back(v->name());
    return result;
  };
  using Names = std::vector<std::string>;
  const nn::Scope s("block");
  EXPECT_EQ(names(nn::ConvNormAct<>(s, 3, 4)), (Names{"0.weight", "1.weight", "1.bias"}));
  EXPECT_EQ(names(nn::SqueezeExcite(s, 16, 4)),
            (Names{"excitation.0.weight", "excitation.2.weight"}));
  EXPECT_EQ(
      names(nn::ConvNeXtBlock(s, 4)),
      (Names{"layer_scale", "block.0.weight", "block.0.bias", "block.2.weight", "block.2.bias",
             "block.3.weight", "block.3.bias", "block.5.weight", "block.5.bias"}));
  EXPECT_EQ(names(nn::DenseBlock(s, 2, 4, 2))[6], "denselayer2.norm1.weight");
  EXPECT_EQ(names(nn::BasicConv2d(s, 3, 4, {.kernel = 1})),
            (Names{"conv.weight", "bn.weight", "bn.bias"}));
  EXPECT_EQ(names(nn::DepthwiseSeparable(s, 3, 4)),
            (Names{"depthwise.weight", "bn1.weight", "bn1.bias", "pointwise.weight", "bn2.weight",
                   "bn2.bias"}));
  EXPECT_EQ(names(Inverted(s, 8, 8, 8, {.squeezed = 2})),
            (Names{"block.0.0.weight", "block.0.1.weight", "block.0.1.bias", "block.1.fc1.weight",
                   "block.1.fc1.bias", "block.1.fc2.weight", "block.1.fc2.bias", "block.2.0.weight",
                   "block.2.1.weight", "block.2.1.bias"}));
}

TEST(Blocks, SqueezeExciteScalesEntireChannels) {
  // Also where the channels are fewer than the reduction: a hidden layer of no width would halve
  // every channel whatever it holds.
  const nn::SqueezeExcite module(nn::Scope("se"), 8, 16);
  const Array x = noise({1, 8, 3, 3}, 1), y = evaluated(module, x);
  bool other_than_half = false;
  for (int64_t c = 0; c < 8; ++c) {
    const double scale = y.at(c * 9) / x.at(c * 9);
    EXPECT_GT(scale, 0);
    EXPECT_LT(scale, 1);
    other_than_half |= std::abs(scale - 0.5) > 1e-3;
    for (int64_t i = 1; i < 9; ++i) EXPECT_NEAR(y.at(c * 9 + i), scale * x.at(c * 9 + i), 1e-5);
  }
  EXPECT_TRUE(other_than_half);
}

TEST(Blocks, MBConvSkipsOnlyIfTheShapeIsUnchanged) {
  const auto adds = [](int64_t out, int64_t stride) {
    const nn::MBConv module(nn::Scope("mbconv"), 8, out, {.stride = stride});
    const auto graph = nn::trace(module, {1, 8, 6, 6});
    int count = 0;
    for (const Node& node : graph->nodes()) {
      count += node.op.name() == "add";
    }
    return count;
  };
  EXPECT_EQ(adds(8, 1), 1);
  EXPECT_EQ(adds(12, 1), 0);
  EXPECT_EQ(adds(8, 2), 0);
}

TEST(Blocks, DenseBlockPutsItsInputFirst) {
  const nn::DenseBlock module(nn::Scope("dense"), 3, 4, 2);
  const Array x = noise({1, 4, 5, 5}, 1), y = evaluated(module, x);
  EXPECT_EQ(y.shape(), (Shape{1, 10, 5, 5}));
  for (int64_t i = 0; i < x.numel(); ++i) EXPECT_EQ(y.at(i), x.at(i));
}

TEST(Blocks, ConvNeXtStartsAsTheIdentity) {
  const nn::ConvNeXtBlock module(nn::Scope("convnext"), 16);
  const Array x = noise({1, 16, 8, 8}, 1), y = evaluated(module, x);
  for (int64_t i = 0; i < x.numel(); ++i) EXPECT_NEAR(y.at(i), x.at(i), 1e-5);
}

TEST(Blocks, ChannelMixerIsALinearLayerAtEachPixel) {
  const nn::ChannelMixer module(nn::Scope("mixer"), 3, 2);
  State state;
  nn::declare(state, module, 7);
  const Array x = noise({1, 3, 4, 4}, 1), y = evaluated(module, x);
  const Array weight = state.get("conv.weight"), bias = state.get("conv.bias");
  for (int64_t o = 0; o < 2; ++o) {
    for (int64_t i = 0; i < 16; ++i) {
      double expected = bias.at(o);
      for (int64_t c = 0; c < 3; ++c) expected += weight.at(o * 3 + c) * x.at(c * 16 + i);
      EXPECT_NEAR(y.at(o * 16 + i), expected, 1e-5);
    }
  }
}

TEST(Blocks, ImpossibleOptionsAreRefusedWhereTheyAreWritten) {
  const nn::Scope s("block");
  expect_error(ErrorKind::usage,
               "squeeze_excite: reduction=0 must be at least 1\n  at      block (",
               [&] { nn::SqueezeExcite(s, 8, 0); });
  expect_error(ErrorKind::usage, "mbconv: expansion=0 must be at least 1\n  at      block (",
               [&] { nn::MBConv(s, 8, 8, {.expansion = 0}); });
}

int64_t count(const nn::Module& module) {
  int64_t sum = 0;
  for (const nn::Variable* v : module.parameters()) sum += v->shape().numel();
  return sum;
}

TEST(FeaturePyramid, GivesAllMapsTheSameChannels) {
  const nn::FeaturePyramid fpn(nn::Scope("fpn"), {64, 128, 256, 512}, 256);
  EXPECT_EQ(count(fpn), 2'607'104);
  EXPECT_EQ(count(nn::FeaturePyramid(nn::Scope("fpn"), {256, 512, 1024, 2048}, 256)), 3'344'384);
  const auto graph = Graph::make(Mode::eval);
  Tensors maps;
  for (int i = 0; i < 4; ++i)
    maps.push_back(
        graph->input("c" + std::to_string(i), {DType::f32, {1, 64 << i, 40 >> i, 56 >> i}}));
  const Tensors levels = nn::call(fpn, maps[0], Tensors(maps.begin() + 1, maps.end()));
  ASSERT_EQ(levels.size(), 4u);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(levels[static_cast<size_t>(i)].shape(), (Shape{1, 256, 40 >> i, 56 >> i}));

  const nn::FeaturePyramid more(nn::Scope("fpn"), {8, 16}, 4, true);
  const auto other = Graph::make(Mode::eval);
  const Tensors five = nn::call(more, other->input("a", {DType::f32, {1, 8, 9, 7}}),
                                Tensors{other->input("b", {DType::f32, {1, 16, 5, 4}})});
  ASSERT_EQ(five.size(), 4u);
  EXPECT_EQ(five[2].shape(), (Shape{1, 4, 3, 2}));
  EXPECT_EQ(five[3].shape(), (Shape{1, 4, 2, 1}));
}

TEST(FrozenNorm, IsNeverTrained) {
  const nn::BatchNorm2d norm(nn::Scope("norm"), 3, {.frozen = true});
  EXPECT_TRUE(norm.parameters().empty());
  std::vector<std::string> names;
  for (const nn::Variable* v : norm.variables()) names.push_back(v->name());
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "bias", "running_mean", "running_var"}));
  const auto graph = Graph::make(Mode::train);
  (void)norm(graph->input("x", {DType::f32, {2, 3, 4, 4}}));
  EXPECT_TRUE(graph->updates().empty());
}

}  // namespace
}  // namespace fovea
