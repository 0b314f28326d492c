#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fovea/ops.h"
#include "ops/worked.h"

namespace fovea {
namespace {

const Data sobel_x = image(3, 3, {-1, 0, 1, -2, 0, 2, -1, 0, 1});
const Data sobel_y = image(3, 3, {-1, -2, -1, 0, 0, 0, 1, 2, 1});

// The textbook filters: a flipped kernel or a shifted window changes every one of these.
TEST(Values, ConvolutionOfTheTextbookImages) {
  EXPECT_EQ(one(conv_with({}), {ramp(5, 5), sobel_x}), std::vector<double>(9, 8));
  EXPECT_EQ(one(conv_with({}), {ramp(5, 5), sobel_y}), std::vector<double>(9, 40));
  EXPECT_EQ(one(conv_with({}), {ramp(5, 5), image(3, 3, {0, -1, 0, -1, 5, -1, 0, -1, 0})}),
            (std::vector<double>{7, 8, 9, 12, 13, 14, 17, 18, 19}));
  const Data drawing =
      image(5, 5, {1, 2, 3, 0, 1, 0, 1, 2, 3, 1, 1, 2, 1, 0, 0, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1});
  EXPECT_EQ(one(conv_with({}), {drawing, sobel_x}),
            (std::vector<double>{6, 0, -5, 0, -2, -2, -4, 0, 1}));
  EXPECT_EQ(one(conv_with({.dilation = 2}), {ramp(5, 5), sobel_x}), std::vector<double>{16});
}

TEST(Values, ConvolutionSizes) {
  const auto size = [](int64_t image, int64_t kernel, const ConvOptions& options) {
    const auto graph = Graph::make(Mode::train);
    const Tensor x = graph->input("x", {DType::f32, {1, 3, image, image}});
    const Tensor w = graph->input("w", {DType::f32, {8, 3, kernel, kernel}});
    return conv2d(x, w, {}, options).dim(3);
  };
  EXPECT_EQ(size(32, 3, {}), 30);
  EXPECT_EQ(size(32, 3, {.padding = 1}), 32);
  EXPECT_EQ(size(32, 3, {.stride = 2, .padding = 1}), 16);
  EXPECT_EQ(size(32, 3, {.padding = 2, .dilation = 2}), 32);
  EXPECT_EQ(size(224, 7, {.stride = 2, .padding = 3}), 112);
  EXPECT_EQ(size(224, 3, {}), 222);
}

// Grouped convolution is one convolution per group, side by side.
TEST(Values, GroupsAreConvolutionsSideBySide) {
  Random random(1, "groups");
  Data x{{2, 4, 5, 6}, {}}, w{{6, 2, 3, 3}, {}};
  for (int i = 0; i < 2 * 4 * 5 * 6; ++i) x.values.push_back(random.normal());
  for (int i = 0; i < 6 * 2 * 3 * 3; ++i) w.values.push_back(random.normal());
  const std::vector<Data> y = harness::run(
      [](const Tensors& in) {
        const Tensor apart = concat({conv2d(slice(in[0], 1, 0, 2), slice(in[1], 0, 0, 3)),
                                     conv2d(slice(in[0], 1, 2, 4), slice(in[1], 0, 3, 6))},
                                    1);
        return Tensors{conv2d(in[0], in[1], {}, {.groups = 2}), apart};
      },
      {x, w});
  expect_near(y[0].values, y[1].values, 1e-12);
}

Function max_with(const PoolOptions& options) {
  return [=](const Tensors& in) { return Tensors{max_pool2d(in[0], options)}; };
}
Function avg_with(const PoolOptions& options) {
  return [=](const Tensors& in) { return Tensors{avg_pool2d(in[0], options)}; };
}

TEST(Values, Pooling) {
  using V = std::vector<double>;
  EXPECT_EQ(one(max_with({.kernel = 2}), {ramp(4, 4)}), (V{6, 8, 14, 16}));
  EXPECT_EQ(one(avg_with({.kernel = 2}), {ramp(4, 4)}), (V{3.5, 5.5, 11.5, 13.5}));
  // Padding of max pooling is -inf, not 0.
  EXPECT_EQ(one(max_with({.kernel = 3, .stride = 1, .padding = 1}), {image(2, 2, V(4, -1))}),
            V(4, -1));
  const V ceiled{7, 9, 10, 17, 19, 20, 22, 24, 25};
  EXPECT_EQ(one(max_with({.kernel = 3, .stride = 2, .padding = 1}), {ramp(5, 5)}), ceiled);
  EXPECT_EQ(one(max_with({.kernel = 2}), {ramp(5, 5)}), (V{7, 9, 17, 19}));
  EXPECT_EQ(one(max_with({.kernel = 2, .ceil_mode = true}), {ramp(5, 5)}), ceiled);
  const Data ones = image(2, 2, V(4, 1));
  expect_near(one(avg_with({.kernel = 3, .stride = 1, .padding = 1}), {ones}), V(4, 4.0 / 9),
              1e-15);
  expect_near(
      one(avg_with({.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false}), {ones}),
      V(4, 1), 1e-15);
  // Positions that ceil_mode adds after the padding never count: the last windows hold 2, 2 and 1
  // pixels.
  expect_near(one(avg_with({.kernel = 2, .ceil_mode = true}), {ramp(3, 3)}), {3, 4.5, 7.5, 9},
              1e-15);
}

TEST(Values, MaxPoolPassesNaNOn) {
  const double nan = std::nan("");
  const auto y = one(max_with({.kernel = 2}), {image(2, 4, {1, 2, nan, 4, 5, nan, 7, 8})});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_TRUE(std::isnan(y[1]));
}

// Equal maxima: the first gets all of the gradient. Receptive-field pictures depend on it.
TEST(Values, TiesOfMaxPoolGoToTheFirst) {
  const auto dx = one(
      [](const Tensors& in) { return harness::backward(max_pool2d(in[0], {.kernel = 2}), in[1]); },
      {image(2, 4, {3, 3, 0, 5, 3, 1, 5, 5}), image(1, 2, {10, 20})});
  EXPECT_EQ(dx, (std::vector<double>{10, 0, 0, 20, 0, 0, 0, 0}));
}

TEST(Values, AdaptivePoolingBins) {
  const auto bins = [](int64_t in, int64_t out) {
    std::vector<std::pair<int64_t, int64_t>> result;
    for (int64_t i = 0; i < out; ++i) {
      const Bin bin = adaptive_bin(i, in, out);
      result.emplace_back(bin.begin, bin.end);
    }
    return result;
  };
  using B = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(bins(37, 7), (B{{0, 6}, {5, 11}, {10, 16}, {15, 22}, {21, 27}, {26, 32}, {31, 37}}));
  EXPECT_EQ(bins(41, 7), (B{{0, 6}, {5, 12}, {11, 18}, {17, 24}, {23, 30}, {29, 36}, {35, 41}}));
  expect_near(
      one([](const Tensors& in) { return Tensors{adaptive_avg_pool2d(in[0], 3)}; }, {ramp(4, 4)}),
      {3.5, 4.5, 5.5, 7.5, 8.5, 9.5, 11.5, 12.5, 13.5}, 1e-12);
  const auto global =
      harness::run([](const Tensors& in) { return Tensors{global_avg_pool(in[0])}; }, {ramp(4, 4)});
  EXPECT_EQ(global[0].shape, (Shape{1, 1, 1, 1}));
  expect_near(global[0].values, {8.5}, 1e-12);
}

// Two channels of four values, by hand: means 2.5 and 0, biased variances 1.25 and 4.
const Data norm_input{{2, 2, 2}, {1, 2, -2, 2, 3, 4, 2, -2}};
const std::vector<Data> norm_parameters{vector({2, 1}), vector({0.5, 0}), vector({1, 1}),
                                        vector({2, 3})};

TEST(Values, BatchNormTrains) {
  std::vector<Data> in{norm_input};
  in.insert(in.end(), norm_parameters.begin(), norm_parameters.end());
  const auto out =
      harness::run([](const Tensors& x) { return batch_norm(x[0], x[1], x[2], x[3], x[4]); }, in);
  ASSERT_EQ(out.size(), 3u);
  const double r0 = 1 / std::sqrt(1.25 + 1e-5), r1 = 1 / std::sqrt(4 + 1e-5);
  expect_near(out[0].values,
              {-3 * r0 + 0.5, -r0 + 0.5, -2 * r1, 2 * r1, r0 + 0.5, 3 * r0 + 0.5, 2 * r1, -2 * r1},
              1e-12);
  expect_near(out[1].values, {0.9 + 0.1 * 2.5, 0.9}, 1e-12);
  // The stored variance is unbiased: times 4 / 3.
  expect_near(out[2].values, {1.8 + 0.1 * 1.25 * 4 / 3, 2.7 + 0.1 * 4.0 * 4 / 3}, 1e-12);
}

TEST(Values, BatchNormEvaluatesWithRunningStatistics) {
  std::vector<Data> in{norm_input};
  in.insert(in.end(), norm_parameters.begin(), norm_parameters.end());
  const auto out = harness::run(
      [](const Tensors& x) { return batch_norm(x[0], x[1], x[2], x[3], x[4], {.eps = 0}); }, in,
      Mode::eval);
  ASSERT_EQ(out.size(), 1u);
  const double r0 = 1 / std::sqrt(2.0), r1 = 1 / std::sqrt(3.0);
  expect_near(out[0].values,
              {0.5, 2 * r0 + 0.5, -3 * r1, r1, 4 * r0 + 0.5, 6 * r0 + 0.5, r1, -3 * r1}, 1e-12);
}

TEST(Values, LayerNorm) {
  const auto y =
      one([](const Tensors& in) { return Tensors{layer_norm(in[0], in[1], in[2], 1, 0)}; },
          {{{2, 2}, {1, 3, -5, 5}}, vector({2, 1}), vector({0, 1})});
  expect_near(y, {-2, 2, -2, 2}, 1e-12);
}

double at(Tensor (*f)(const Tensor&), double x) {
  return one([f](const Tensors& in) { return Tensors{f(in[0])}; }, {{{}, {x}}})[0];
}

TEST(Values, Activations) {
  EXPECT_NEAR(at(gelu, 1), 0.8413447, 1e-7);
  EXPECT_NEAR(at(gelu_tanh, 1), 0.8411920, 1e-7);
  EXPECT_NEAR(at(silu, 1), 0.7310586, 1e-7);
  EXPECT_EQ(at(relu6, 7), 6);
  EXPECT_EQ(at(relu, -1), 0);
  EXPECT_NEAR(at([](const Tensor& x) { return leaky_relu(x); }, -1), -0.01, 1e-15);
  EXPECT_NEAR(at([](const Tensor& x) { return elu(x); }, -1), std::exp(-1) - 1, 1e-15);
  EXPECT_EQ(at(sigmoid, 0), 0.5);
  EXPECT_NEAR(at(mish, 1), std::tanh(std::log(1 + std::numbers::e)), 1e-15);
  EXPECT_EQ(at(hardsigmoid, 0), 0.5);
  EXPECT_NEAR(at(hardswish, 1), 4.0 / 6, 1e-15);
  EXPECT_EQ(at(exp, 0), 1);
  EXPECT_NEAR(at(log, std::numbers::e), 1, 1e-15);
  EXPECT_EQ(at(tanh, 0), 0);
}

// A NaN that an activation swallows hides divergence; an extreme value must not become NaN.
TEST(Values, ActivationsPassNaNOnAndStayFiniteFarOut) {
  for (int i = 0; i < unary_kinds; ++i) {
    const auto kind = static_cast<UnaryKind>(i);
    const UnaryRule& rule = unary_rule(kind);
    EXPECT_TRUE(std::isnan(rule.f(std::nan(""), 0.1))) << rule.name;
    const bool bounded = kind != UnaryKind::exp && kind != UnaryKind::log &&
                         kind != UnaryKind::sqrt && kind != UnaryKind::pow;
    if (!bounded) continue;
    for (double x : {-1e4, 1e4}) {
      EXPECT_TRUE(std::isfinite(rule.f(x, 0.1))) << rule.name << "(" << x << ")";
      EXPECT_TRUE(std::isfinite(rule.df(x, 0.1))) << rule.name << "'(" << x << ")";
    }
  }
  EXPECT_EQ(unary_rule(UnaryKind::relu).df(0, 0), 0);
}

TEST(Values, ArithmeticBroadcasts) {
  const Data rows{{2, 3}, {1, 2, 3, 4, 5, 6}};
  using V = std::vector<double>;
  const auto with = [](Tensor (*f)(const Tensor&, const Tensor&)) {
    return [f](const Tensors& in) { return Tensors{f(in[0], in[1])}; };
  };
  EXPECT_EQ(one(with(operator+), {rows, vector({10, 20, 30})}), (V{11, 22, 33, 14, 25, 36}));
  EXPECT_EQ(one(with(operator-), {{{2, 1}, {10, 20}}, rows}), (V{9, 8, 7, 16, 15, 14}));
  EXPECT_EQ(one(with(operator*), {{{2, 1}, {1, 2}}, {{3}, {1, 2, 3}}}), (V{1, 2, 3, 2, 4, 6}));
  EXPECT_EQ(one(with(operator/), {rows, {{}, {2}}}), (V{0.5, 1, 1.5, 2, 2.5, 3}));
  const auto all = harness::run(
      [](const Tensors& in) {
        const Tensor& x = in[0];
        return Tensors{x + 1.0, 1.0 + x, x - 1.0, 1.0 - x, x * 2.0,
                       2.0 * x, x / 2.0, -x,      sum(x),  mean(x)};
      },
      {vector({1, 4})});
  const std::vector<V> expected{{2, 5}, {2, 5},   {0, 3},   {0, -3}, {2, 8},
                                {2, 8}, {0.5, 2}, {-1, -4}, {5},     {2.5}};
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].values, expected[i]) << i;
  EXPECT_EQ(
      one([](const Tensors& in) { return Tensors{increment(in[0])}; }, {{{}, {41}, DType::i64}}),
      V{42});
}

TEST(Values, LinearIsAMatrixProduct) {
  const Data x{{1, 2}, {1, 2}}, w{{3, 2}, {1, 0, 0, 1, 1, 1}};
  EXPECT_EQ(one([](const Tensors& in) { return Tensors{linear(in[0], in[1], in[2])}; },
                {x, w, vector({10, 20, 30})}),
            (std::vector<double>{11, 22, 33}));
  EXPECT_EQ(
      one([](const Tensors& in) { return Tensors{matmul(in[1], in[0])}; }, {{{2, 1}, {1, 2}}, w}),
      (std::vector<double>{1, 2, 3}));
}

TEST(Values, CrossEntropy) {
  const auto loss = [](const Data& logits, const Data& targets, double smoothing) {
    return one(
        [=](const Tensors& in) {
          return Tensors{cross_entropy(in[0], in[1], {.label_smoothing = smoothing})};
        },
        {logits, targets})[0];
  };
  const Data label{{1}, {3}, DType::i64};
  const Data flat{{1, 10}, std::vector<double>(10, 5)};
  EXPECT_NEAR(loss(flat, label, 0), std::log(10), 1e-12);
  EXPECT_NEAR(loss(flat, label, 0.1), std::log(10), 1e-12);

  const Data logits{{2, 3}, {1, 2, 3, 0, 0, 1000}}, labels{{2}, {0, 2}, DType::i64};
  const double norm = std::log(std::exp(1) + std::exp(2) + std::exp(3));
  EXPECT_NEAR(loss(logits, labels, 0), (norm - 1) / 2, 1e-12);  // 1000 does not overflow
  // (1 - 0.3) of the label's, 0.3 of the mean over all classes.
  EXPECT_NEAR(loss(logits, labels, 0.3),
              (0.7 * (norm - 1) + 0.3 * (norm - 2)) / 2 + 0.3 * 2000.0 / 3 / 2, 1e-10);
  // One-hot soft targets give the same.
  const Data soft{{2, 3}, {1, 0, 0, 0, 0, 1}};
  EXPECT_NEAR(loss(logits, soft, 0), loss(logits, labels, 0), 1e-12);
  EXPECT_NEAR(loss(logits, soft, 0.3), loss(logits, labels, 0.3), 1e-12);
}

TEST(Values, SoftmaxIsOverAxisOne) {
  const Data x{{1, 2, 2}, {0, 1000, std::log(3), 1000}};
  const auto y = harness::run(
      [](const Tensors& in) {
        return Tensors{softmax(in[0]), log_softmax(in[0])};
      },
      {x});
  expect_near(y[0].values, {0.25, 0.5, 0.75, 0.5}, 1e-12);
  expect_near(y[1].values, {std::log(0.25), std::log(0.5), std::log(0.75), std::log(0.5)}, 1e-12);
}

/// Dropout of `count` ones; the graph's "random" input is made by the op itself.
std::vector<double> drop(int64_t count, double p, uint64_t key, double seed, double step) {
  return one(
      [=](const Tensors& in) {
        return Tensors{in[0].graph().add_one(Dropout{p, key}, {in[0], in[1]})};
      },
      {{{count}, std::vector<double>(static_cast<size_t>(count), 1)},
       {{2}, {seed, step}, DType::i64}});
}

TEST(Values, DropoutKeepsTheMean) {
  const int64_t n = 100000;
  for (double p : {0.2, 0.5}) {
    const auto y = drop(n, p, 1, 42, 0);
    const double mean = std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(n);
    EXPECT_NEAR(mean, 1, 3 * std::sqrt(p / (1 - p) / static_cast<double>(n)));
    for (double v : y) ASSERT_TRUE(v == 0 || v == 1 / (1 - p));
  }
  EXPECT_EQ(drop(100, 1, 1, 42, 0), std::vector<double>(100, 0));
}

// Masks repeat for the same step, on resume and in the backward pass, and never elsewhere.
TEST(Values, DropoutMasksAreNamedBySeedStepAndKey) {
  const auto mask = drop(64, 0.5, 1, 42, 7);
  EXPECT_EQ(drop(64, 0.5, 1, 42, 7), mask);
  EXPECT_NE(drop(64, 0.5, 2, 42, 7), mask);
  EXPECT_NE(drop(64, 0.5, 1, 43, 7), mask);
  EXPECT_NE(drop(64, 0.5, 1, 42, 8), mask);
  const auto longer = drop(128, 0.5, 1, 42, 7);
  EXPECT_TRUE(std::equal(mask.begin(), mask.end(), longer.begin()));
}

TEST(Values, DropoutIsTheIdentityInEvalGraphs) {
  const auto eval = Graph::make(Mode::eval), train = Graph::make(Mode::train);
  const Tensor x = eval->input("x", {DType::f32, {4}}), z = train->input("z", {DType::f32, {4}});
  EXPECT_EQ(dropout(x, 0.5), x);
  EXPECT_EQ(dropout(z, 0), z);
  const Tensor first = dropout(z, 0.5), second = dropout(z, 0.5);
  EXPECT_NE(train->nodes()[0].op.attributes(), train->nodes()[1].op.attributes());
  EXPECT_EQ(train->nodes()[0].inputs[1], train->nodes()[1].inputs[1]);  // one seed for all
}

TEST(Values, ShapeOps) {
  using V = std::vector<double>;
  const Data x{{2, 3}, {1, 2, 3, 4, 5, 6}};
  const auto out = harness::run(
      [](const Tensors& in) {
        return Tensors{permute(in[0], {1, 0}),
                       slice(in[0], 1, 1, 3),
                       concat({in[0], in[0]}, -1),
                       flatten(reshape(in[0], {1, 2, 3}), 1),
                       flatten(in[0], 0),
                       cast(in[0] * 0.5, DType::i64),
                       concat({in[0], in[0] * 2.0}, 0)};
      },
      {x});
  EXPECT_EQ(out[0].values, (V{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(out[1].values, (V{2, 3, 5, 6}));
  EXPECT_EQ(out[2].values, (V{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT_EQ(out[3].shape, (Shape{1, 6}));
  EXPECT_EQ(out[4].shape, (Shape{6}));
  EXPECT_EQ(out[5].values, (V{0, 1, 1, 2, 2, 3}));
  EXPECT_EQ(out[6].shape, (Shape{4, 3}));
  EXPECT_EQ(out[6].values[6], 2);
}

TEST(Values, NormalizeImagesMovesChannelsToTheFront) {
  const Data x{{1, 1, 2, 3}, {0, 51, 255, 255, 102, 0}, DType::u8};
  const auto y = harness::run(
      [](const Tensors& in) {
        return Tensors{normalize_images(in[0], {0, 0.5f, 0.25f}, {1, 0.5f, 0.25f})};
      },
      {x});
  EXPECT_EQ(y[0].shape, (Shape{1, 3, 1, 2}));
  EXPECT_EQ(y[0].dtype, DType::f64);
  expect_near(y[0].values, {0, 1, -0.6, -0.2, 3, -1}, 1e-12);
  const Data deep{{1, 1, 2, 3}, {0, 13107, 65535, 65535, 26214, 0}, DType::u16};
  const auto z = harness::run(
      [](const Tensors& in) {
        return Tensors{normalize_images(in[0], {0, 0.5f, 0.25f}, {1, 0.5f, 0.25f})};
      },
      {deep});
  EXPECT_EQ(z[0].values, y[0].values);
}

}  // namespace
}  // namespace fovea
