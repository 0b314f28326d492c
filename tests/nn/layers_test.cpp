#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/nn.h"

namespace fovea {
namespace {

struct Statistics {
  double mean = 0, std = 0, least = 0, most = 0;
};

Statistics statistics(const Shape& shape, const nn::Initializer& initializer) {
  Array array(DType::f64, shape);
  Random random(3, "statistics");
  initializer(array, random);
  Statistics s;
  for (int64_t i = 0; i < array.numel(); ++i) {
    s.mean += array.at(i) / static_cast<double>(array.numel());
    s.least = std::min(s.least, array.at(i));
    s.most = std::max(s.most, array.at(i));
  }
  for (int64_t i = 0; i < array.numel(); ++i) s.std += std::pow(array.at(i) - s.mean, 2);
  s.std = std::sqrt(s.std / static_cast<double>(array.numel()));
  return s;
}

TEST(Init, SpreadIsWhatThePapersSay) {
  // A first layer that starts too wide or narrow trains worse, silently.
  const auto he = statistics({64, 3, 3, 3}, nn::init::kaiming_normal_fan_out());
  EXPECT_NEAR(he.std, std::sqrt(2.0 / (64 * 9)), 0.05 * he.std);
  const auto wide = statistics({512, 512}, nn::init::kaiming_normal_fan_out());
  EXPECT_NEAR(wide.std, std::sqrt(2.0 / 512), 0.01 * wide.std);
  EXPECT_NEAR(wide.mean, 0, 0.01 * wide.std);

  const double bound = 1 / std::sqrt(32 * 9.0);  // kaiming_uniform(sqrt 5) is +-1/sqrt(fan_in)
  const auto torch = statistics({64, 32, 3, 3}, nn::init::kaiming_uniform());
  EXPECT_GT(torch.least, -bound);
  EXPECT_LT(torch.most, bound);
  EXPECT_NEAR(torch.std, bound / std::sqrt(3), 0.02 * bound);

  const auto glorot = statistics({100, 300}, nn::init::xavier_uniform());
  EXPECT_NEAR(glorot.std, std::sqrt(2.0 / 400), 0.02 * glorot.std);
  EXPECT_NEAR(statistics({500, 20}, nn::init::normal(0.01)).std, 0.01, 0.0003);
  EXPECT_EQ(statistics({8}, nn::init::constant(1)).mean, 1);
}

TEST(Init, ValuesOfASeedAndNameStay) {
  // A run can be repeated with a later version only while these do not move.
  Array array(DType::f64, {2, 2});
  Random random(42, "fc.weight");
  nn::init::uniform(1)(array, random);
  const double expected[] = {-0.018545950462645733, -0.98596211632848907, -0.2089133243474981,
                             0.35956615425996952};
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(array.at(i), expected[i]);
}

TEST(Init, GroupsCountOnlyTheInputsThatAreSummed) {
  const auto depthwise = statistics({400, 1, 3, 3}, nn::init::kaiming_uniform());
  EXPECT_NEAR(depthwise.most, 1.0 / 3, 0.01);
}

TEST(Init, EmptyAndFlatArraysAreFine) {
  for (const auto& initializer : {nn::init::kaiming_uniform(), nn::init::kaiming_normal_fan_out(),
                                  nn::init::xavier_uniform()}) {
    EXPECT_TRUE(std::isfinite(statistics({0, 0}, initializer).most));
    EXPECT_TRUE(std::isfinite(statistics({7}, initializer).most));
    EXPECT_TRUE(std::isfinite(statistics({}, initializer).most));
  }
}

int64_t count(const std::vector<const nn::Variable*>& variables) {
  int64_t total = 0;
  for (const nn::Variable* v : variables) total += v->shape().numel();
  return total;
}

TEST(Layers, WeightsHavePyTorchsShapes) {
  const nn::Scope s("layer");
  EXPECT_EQ(count(nn::Conv2d(s, 3, 16, {.kernel = 3, .padding = 1}).parameters()), 448);
  EXPECT_EQ(count(nn::Conv2d(s, 3, 64, {.kernel = 3}).parameters()), 1792);
  EXPECT_EQ(count(nn::Conv2d(s, 3, 64, {.kernel = 3, .bias = false}).parameters()), 1728);
  EXPECT_EQ(count(nn::Conv2d(s, 256, 64, {.kernel = 1}).parameters()), 16448);
  EXPECT_EQ(count(nn::Conv3d(s, 1, 8, {.kernel = 3}).parameters()), 224);
  EXPECT_EQ(nn::Conv2d(s, 6, 4, {.kernel = {3, 5}, .groups = 2}).weight.shape(),
            (Shape{4, 3, 3, 5}));
  EXPECT_EQ(nn::Conv1d(s, 6, 4, {.kernel = 7}).weight.shape(), (Shape{4, 6, 7}));
  EXPECT_EQ(nn::Linear(s, 5, 7).weight.shape(), (Shape{7, 5}));
  EXPECT_EQ(count(nn::LayerNorm(s, {96}).parameters()), 192);
  EXPECT_EQ(count(nn::LayerNorm(s, {128, 28, 28}).parameters()), 200704);
}

/// The shape that a layer of the root scope makes of `input`.
Shape out(const nn::Module& layer, const Shape& input, Mode mode = Mode::eval) {
  return nn::trace(layer, input, mode)->output("output").shape();
}

TEST(Layers, GiveTheShapesTheyPromise) {
  const nn::Scope s("layer");
  const nn::ConvOptions stem{.kernel = {3, 5}, .stride = {2, 1}, .padding = {1, 2}};
  EXPECT_EQ(out(nn::Conv2d(s, 3, 8, stem), {2, 3, 9, 11}), (Shape{2, 8, 5, 11}));
  EXPECT_EQ(out(nn::Conv1d(s, 3, 8, {.kernel = 3}), {2, 3, 9}), (Shape{2, 8, 7}));
  EXPECT_EQ(out(nn::Conv3d(s, 3, 8, {.kernel = 3}), {2, 3, 9, 8, 7}), (Shape{2, 8, 7, 6, 5}));
  EXPECT_EQ(out(nn::Linear(s, 5, 7, {.bias = false}), {2, 4, 5}), (Shape{2, 4, 7}));
  EXPECT_EQ(out(nn::BatchNorm2d(s, 3), {2, 3, 4, 4}, Mode::train), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::LayerNorm(s, {4, 4}), {2, 3, 4, 4}), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::MaxPool2d(s, {.kernel = 3, .stride = 2, .padding = 1}), {2, 3, 9, 9}),
            (Shape{2, 3, 5, 5}));
  EXPECT_EQ(out(nn::AvgPool2d(s, 2), {2, 3, 9, 9}), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::AdaptiveAvgPool2d(s, {2, 3}), {2, 3, 9, 9}), (Shape{2, 3, 2, 3}));
  EXPECT_EQ(out(nn::Flatten(s), {2, 3, 4, 5}), (Shape{2, 60}));
  EXPECT_EQ(out(nn::Identity(s), {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(out(nn::Dropout(s, 0.2), {2, 3}, Mode::train), (Shape{2, 3}));
  EXPECT_EQ(out(nn::ReLU(s), {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(out(nn::LeakyReLU(s), {2, 3}), (Shape{2, 3}));
}

TEST(Layers, DropoutIsNothingOutsideTraining) {
  const nn::Dropout layer(nn::Scope("layer"), 0.5);
  EXPECT_TRUE(nn::trace(layer, {2, 3})->nodes().empty());
  EXPECT_EQ(nn::trace(layer, {2, 3}, Mode::train)->nodes().size(), 1u);
}

TEST(Layers, ImpossibleSizesAreRefusedWhereTheyAreWritten) {
  const nn::Scope s("layer");
  expect_error(
      ErrorKind::usage,
      "conv2d: 0 input and 4 output channels, at least 1 of each is needed\n  at      layer (",
      [&] { nn::Conv2d(s, 0, 4, {.kernel = 3}); });
  expect_error(ErrorKind::usage,
               "conv2d: groups=0 does not divide 4 input and 4 output channels\n  at      layer (",
               [&] { nn::Conv2d(s, 4, 4, {.kernel = 3, .groups = 0}); });
  expect_error(ErrorKind::usage,
               "conv2d: groups=4 does not divide 4 input and 6 output channels\n  at      layer (",
               [&] { nn::Conv2d(s, 4, 6, {.kernel = 3, .groups = 4}); });
  expect_error(
      ErrorKind::usage,
      "linear: 4 input and -1 output features, at least 1 of each is needed\n  at      layer (",
      [&] { nn::Linear(s, 4, -1); });
}

}  // namespace
}  // namespace fovea
