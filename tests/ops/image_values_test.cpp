#include <gtest/gtest.h>

#include <cmath>

#include "fovea/ops.h"
#include "ops/worked.h"

namespace fovea {
namespace {

using V = std::vector<double>;

const Data edges = image(3, 3, {1, 0, -1, 1, 0, -1, 1, 0, -1});

TEST(ImageValues, ConvolutionOfTheTextbookMatrix) {
  const Data x =
      image(5, 5, {1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1, 0, 1, 2, 1, 2, 1, 0, 1});
  EXPECT_EQ(one(conv_with({}), {x, edges}), (V{-4, -2, 2, -2, -4, -2, 0, 0, -4}));
  const Data flipped = image(3, 3, {-1, 0, 1, -1, 0, 1, -1, 0, 1});  // true convolution
  EXPECT_EQ(one(conv_with({}), {x, flipped}), (V{4, 2, -2, 2, 4, 2, 0, 0, 4}));
  EXPECT_EQ(one(conv_with({.stride = 2}), {x, edges}), (V{-4, 2, 0, -4}));
  V same = one(conv_with({.padding = "same"}), {x, edges});
  ASSERT_EQ(same.size(), 25u);
  same.resize(5);
  EXPECT_EQ(same, (V{-3, -4, 0, 4, 3}));
}

Shape conv_shape(const Shape& x, const Shape& w, const ConvOptions& options) {
  const auto graph = Graph::make(Mode::train);
  return conv(graph->input("x", {DType::f32, x}), graph->input("w", {DType::f32, w}), {}, options)
      .shape();
}

TEST(ImageValues, NamedPaddings) {
  EXPECT_EQ(conv_shape({1, 1, 5, 5}, {1, 1, 3, 3}, {.padding = "full"}), (Shape{1, 1, 7, 7}));
  EXPECT_EQ(conv_shape({1, 1, 5, 5}, {1, 1, 3, 3}, {.padding = "full", .dilation = 2}),
            (Shape{1, 1, 9, 9}));
  EXPECT_EQ(conv_shape({1, 1, 5, 5}, {1, 1, 3, 3}, {.padding = "valid"}), (Shape{1, 1, 3, 3}));
  for (int64_t size = 1; size < 9; ++size) {
    for (int64_t kernel = 1; kernel < 6; ++kernel) {
      for (int64_t stride = 1; stride < 4; ++stride) {
        for (int64_t dilation = 1; dilation < 3; ++dilation) {
          EXPECT_EQ(conv_shape({1, 1, size}, {1, 1, kernel},
                               {.stride = stride, .padding = "same", .dilation = dilation})[2],
                    (size + stride - 1) / stride)
              << size << " " << kernel << " " << stride << " " << dilation;
        }
      }
    }
  }
  // With an odd number of padded pixels the extra one comes after the row: the weights are 1 and
  // 10.
  const Data row{{1, 1, 3}, {1, 2, 3}}, weight{{1, 1, 2}, {1, 10}};
  const auto same = [](const Tensors& in) {
    return Tensors{conv(in[0], in[1], {}, {.padding = "same"})};
  };
  EXPECT_EQ(one(same, {row, weight}), (V{21, 32, 3}));
  // 5 pixels with stride 2 need 2 more, one on each side; 4 need 1, at the end.
  const auto strided = [](const Tensors& in) {
    return Tensors{conv(in[0], in[1], {}, {.stride = 2, .padding = "same"})};
  };
  const Data ones{{1, 1, 3}, {1, 1, 1}};
  EXPECT_EQ(one(strided, {{{1, 1, 5}, {1, 2, 3, 4, 5}}, ones}), (V{3, 9, 9}));
  EXPECT_EQ(one(strided, {{{1, 1, 4}, {1, 2, 3, 4}}, ones}), (V{6, 7}));
}

TEST(ImageValues, ConvolutionPadsInEveryMode) {
  const Data row{{1, 1, 3}, {1, 2, 3}}, weight{{1, 1, 3}, {1, 10, 100}};
  const auto with = [&](const ConvOptions& options) {
    return one([&](const Tensors& in) { return Tensors{conv(in[0], in[1], {}, options)}; },
               {row, weight});
  };
  EXPECT_EQ(with({.padding = 1}), (V{210, 321, 32}));
  EXPECT_EQ(with({.padding = 1, .padding_value = 5}), (V{215, 321, 532}));
  EXPECT_EQ(with({.padding = 1, .padding_mode = PadMode::reflect}), (V{212, 321, 232}));
  EXPECT_EQ(with({.padding = "same", .padding_mode = PadMode::replicate}), (V{211, 321, 332}));
  EXPECT_EQ(with({.padding = "same", .padding_mode = PadMode::circular}), (V{213, 321, 132}));
  EXPECT_EQ(with({.padding = {{0, 1}}}), (V{321, 32}));
}

TEST(ImageValues, TransposedConvolutionSpreadsPixels) {
  const auto with = [](const ConvTransposeOptions& options, bool bias = false) {
    return one(
        [&](const Tensors& in) {
          return Tensors{conv_transpose(in[0], in[1], bias ? in[2] : Tensor(), options)};
        },
        {{{1, 1, 3}, {1, 2, 3}}, {{1, 1, 3}, {1, 10, 100}}, vector({0.5})});
  };
  EXPECT_EQ(with({}), (V{1, 12, 123, 230, 300}));
  EXPECT_EQ(with({.stride = 2}), (V{1, 10, 102, 20, 203, 30, 300}));
  EXPECT_EQ(with({.stride = 2, .padding = 1}), (V{10, 102, 20, 203, 30}));
  EXPECT_EQ(with({.stride = 2, .padding = 1, .output_padding = 1}), (V{10, 102, 20, 203, 30, 300}));
  EXPECT_EQ(with({.dilation = 2}), (V{1, 2, 13, 20, 130, 200, 300}));
  EXPECT_EQ(with({}, true), (V{1.5, 12.5, 123.5, 230.5, 300.5}));
}

TEST(ImageValues, MaxPoolingKeepsIndicesAndIsUndone) {
  const auto out = harness::run(
      [](const Tensors& in) {
        const Tensors pooled = max_pool_with_indices(in[0], {.kernel = 2});
        return Tensors{pooled[0], pooled[1], max_unpool(pooled[0], pooled[1], {4, 4})};
      },
      {{{1, 2, 4, 4}, [] {
          V two = ramp(4, 4).values;  // the second channel is counted from its own first pixel
          for (int i = 0; i < 16; ++i) two.push_back(-i);
          return two;
        }()}});
  EXPECT_EQ(out[0].values, (V{6, 8, 14, 16, 0, -2, -8, -10}));
  EXPECT_EQ(out[1].values, (V{5, 7, 13, 15, 0, 2, 8, 10}));
  EXPECT_EQ(out[1].dtype, DType::i64);
  EXPECT_EQ(V(out[2].values.begin(), out[2].values.begin() + 16),
            (V{0, 0, 0, 0, 0, 6, 0, 8, 0, 0, 0, 0, 0, 14, 0, 16}));
}

TEST(ImageValues, UnpoolingTheSameIndexTwiceKeepsTheLast) {
  const Data x{{1, 1, 2}, {3, 4}}, indices{{1, 1, 2}, {1, 1}, DType::i64};
  EXPECT_EQ(
      one([](const Tensors& in) { return Tensors{max_unpool(in[0], in[1], {3})}; }, {x, indices}),
      (V{0, 4, 0}));
  EXPECT_EQ(one(
                [](const Tensors& in) {
                  return Tensors{harness::backward(max_unpool(in[0], in[1], {3}), in[2])[0]};
                },
                {x, indices, {{1, 1, 3}, {10, 20, 30}}}),
            (V{0, 20}));
}

TEST(ImageValues, AdaptiveMaxima) {
  EXPECT_EQ(
      one([](const Tensors& in) { return Tensors{adaptive_max_pool2d(in[0], 3)}; }, {ramp(4, 4)}),
      (V{6, 7, 8, 10, 11, 12, 14, 15, 16}));
  const auto global =
      harness::run([](const Tensors& in) { return Tensors{global_max_pool(in[0])}; }, {ramp(4, 4)});
  EXPECT_EQ(global[0].shape, (Shape{1, 1, 1, 1}));
  EXPECT_EQ(global[0].values, V{16});
  // Equal maxima: the first gets the gradient.
  EXPECT_EQ(one([](const Tensors& in) { return harness::backward(global_max_pool(in[0]), in[1]); },
                {image(1, 3, {1, 5, 5}), image(1, 1, {7})}),
            (V{0, 7, 0}));
}

std::vector<double> numbers(const Shape& shape, uint64_t seed) {
  Random random(seed, "numbers");
  V values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = random.normal();
  return values;
}

// Group norm with one group is layer norm over all but N; with one group per channel, batch norm of
// each sample alone.
TEST(ImageValues, GroupNorm) {
  const Data x{{2, 4, 3}, numbers({2, 4, 3}, 1)}, gamma = vector({1, 2, 3, 4}),
                                                  beta = vector({0, 1, 0, -1});
  const auto out = harness::run(
      [](const Tensors& in) {
        const Tensor ones = in[0].graph().constant(Array::full(DType::f64, {4, 3}, 1));
        const Tensor zeros = in[0].graph().constant(Array::full(DType::f64, {4, 3}, 0));
        const Tensor first = slice(in[0], 0, 0, 1);
        return Tensors{group_norm(in[0], 1),
                       layer_norm(in[0], ones, zeros, 2),
                       slice(instance_norm(in[0], in[1], in[2]), 0, 0, 1),
                       batch_norm(first, in[1], in[2], in[2], in[2])[0],
                       group_norm(in[0], 4, in[1], in[2]),
                       instance_norm(in[0], in[1], in[2])};
      },
      {x, gamma, beta});
  expect_near(out[0].values, out[1].values, 1e-12);
  expect_near(out[2].values, out[3].values, 1e-12);
  EXPECT_EQ(out[4].values, out[5].values);
  // Two groups of two channels, by hand: means 2 and 20, variances 1 and 100.
  expect_near(one([](const Tensors& in) { return Tensors{group_norm(in[0], 2, {}, {}, 0)}; },
                  {{{1, 4, 1}, {1, 3, 10, 30}}}),
              {-1, 1, -1, 1}, 1e-12);
}

TEST(ImageValues, LayerNormOverChannels) {
  // Each pixel's two channels: (1, 3) and (5, -5).
  expect_near(
      one([](const Tensors& in) { return Tensors{layer_norm_channels(in[0], in[1], in[2], 0)}; },
          {{{1, 2, 1, 2}, {1, 5, 3, -5}}, vector({2, 1}), vector({0, 1})}),
      {-2, 2, 2, 0}, 1e-12);
}

TEST(ImageValues, GlobalResponseNorm) {
  // Norms 5 and 0, their mean 2.5: the shares are 2 and 0.
  const auto y =
      one([](const Tensors& in) { return Tensors{global_response_norm(in[0], in[1], in[2], 0)}; },
          {{{1, 2, 2}, {3, 4, 0, 0}}, vector({10, 10}), vector({1, 7})});
  expect_near(y, {3 * 21 + 1, 4 * 21 + 1, 7, 7}, 1e-9);
}

TEST(ImageValues, ChannelFactors) {
  const Data x{{1, 2, 2}, {1, -2, 3, -4}};
  EXPECT_EQ(one([](const Tensors& in) { return Tensors{layer_scale(in[0], in[1])}; },
                {x, vector({1, 10})}),
            (V{1, -2, 30, -40}));
  EXPECT_EQ(
      one([](const Tensors& in) { return Tensors{prelu(in[0], in[1])}; }, {x, vector({0.5, 0.25})}),
      (V{1, -1, 3, -1}));
  EXPECT_EQ(one([](const Tensors& in) { return Tensors{prelu(in[0], in[1])}; }, {x, vector({0.5})}),
            (V{1, -1, 3, -2}));
}

// Entire channels or samples are dropped; the rest is scaled up to preserve the mean.
TEST(ImageValues, SpatialDropoutAndDropPath) {
  const Data x{{8, 16, 3}, V(8 * 16 * 3, 1)};
  const auto dropped = [&](Tensor (*f)(const Tensor&, double), double p, Mode mode) {
    const auto graph = Graph::make(mode, DType::f64);
    const Tensor in = graph->input("x", {DType::f64, x.shape});
    const Tensor y = f(in, p);
    harness::Values values(graph->values().size());
    values[static_cast<size_t>(in.id())] = x.values;
    if (mode == Mode::train) values[static_cast<size_t>(graph->random().id())] = {42, 1};
    harness::evaluate(*graph, values);
    return values[static_cast<size_t>(y.id())];
  };
  const auto check = [](const V& y, size_t run, double kept) {
    size_t zeros = 0;
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(y[i], y[i / run * run]) << i;
      EXPECT_TRUE(y[i] == 0 || y[i] == kept) << y[i];
      zeros += y[i] == 0;
    }
    EXPECT_GT(zeros, 0u);
    EXPECT_LT(zeros, y.size());
  };
  check(dropped(spatial_dropout, 0.5, Mode::train), 3, 2);
  check(dropped(drop_path, 0.5, Mode::train), 48, 2);
  EXPECT_EQ(dropped(drop_path, 0.5, Mode::eval), x.values);
  EXPECT_EQ(dropped(spatial_dropout, 1, Mode::train), V(8 * 16 * 3, 0));
}

TEST(ImageValues, SoftmaxAlongAnyAxis) {
  const Data x{{2, 2}, {0, std::log(3), std::log(3), std::log(9)}};
  const auto y = harness::run(
      [](const Tensors& in) {
        return Tensors{softmax(in[0], 0), softmax(in[0], -1), log_softmax(reshape(in[0], {4}), 0)};
      },
      {x});
  expect_near(y[0].values, {0.25, 0.25, 0.75, 0.75}, 1e-12);
  expect_near(y[1].values, {0.25, 0.75, 0.25, 0.75}, 1e-12);
  expect_near(y[2].values,
              {std::log(1.0 / 16), std::log(3.0 / 16), std::log(3.0 / 16), std::log(9.0 / 16)},
              1e-12);
}

// PyTorch's rule: other rules shift pictures by half a pixel.
TEST(ImageValues, Upsample) {
  const auto by = [](const Data& x, double scale, const UpsampleOptions& options = {}) {
    return one([&](const Tensors& in) { return Tensors{upsample(in[0], scale, options)}; }, {x});
  };
  const auto to = [](const Data& x, const Dims& size, const UpsampleOptions& options = {}) {
    return one([&](const Tensors& in) { return Tensors{upsample_to(in[0], size, options)}; }, {x});
  };
  const UpsampleOptions linear{UpsampleMode::linear}, corners{UpsampleMode::linear, true};
  const Data row{{1, 1, 2}, {0, 4}};
  EXPECT_EQ(by(row, 2), (V{0, 0, 4, 4}));
  EXPECT_EQ(to({{1, 1, 3}, {1, 2, 3}}, 5), (V{1, 1, 2, 2, 3}));
  EXPECT_EQ(to({{1, 1, 5}, {1, 2, 3, 4, 5}}, 2), (V{1, 3}));
  EXPECT_EQ(by(row, 2, linear), (V{0, 1, 3, 4}));
  expect_near(by(row, 2, corners), {0, 4.0 / 3, 8.0 / 3, 4}, 1e-12);
  EXPECT_EQ(to(row, 1, corners), V{0});
  EXPECT_EQ(to(row, 1, linear), V{2});
  // 5 pixels become floor(3.75) = 3: the step is 1 / 0.75, or 5 / 3 when it is recomputed.
  const Data five{{1, 1, 5}, {0, 1, 2, 3, 4}};
  EXPECT_EQ(by(five, 1.5), (V{0, 0, 1, 2, 2, 3, 4}));
  EXPECT_EQ(by(five, 1.5, {.recompute_scale_factor = true}), (V{0, 0, 1, 2, 2, 3, 4}));
  EXPECT_EQ(by(five, 0.75), (V{0, 1, 2}));
  EXPECT_EQ(by(five, 0.75, {.recompute_scale_factor = true}), (V{0, 1, 3}));
  expect_near(to(image(2, 2, {1, 2, 3, 4}), {3, 3}, corners), {1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4},
              1e-12);
}

TEST(ImageValues, Shuffles) {
  const Data x{{1, 4, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}};
  const auto out = harness::run(
      [](const Tensors& in) {
        const Tensor y = pixel_shuffle(in[0], 2);
        return Tensors{y, pixel_unshuffle(y, 2), channel_shuffle(in[0], 2)};
      },
      {x});
  EXPECT_EQ(out[0].shape, (Shape{1, 1, 2, 4}));
  EXPECT_EQ(out[0].values, (V{1, 3, 2, 4, 5, 7, 6, 8}));
  EXPECT_EQ(out[1].values, x.values);
  EXPECT_EQ(out[1].shape, x.shape);
  EXPECT_EQ(out[2].values, (V{1, 2, 5, 6, 3, 4, 7, 8}));
}

TEST(ImageValues, SplitIsTheReverseOfConcat) {
  const auto out = harness::run(
      [](const Tensors& in) {
        return split(in[0], {1, 0, 2}, -1);
      },
      {{{2, 3}, {1, 2, 3, 4, 5, 6}}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].values, (V{1, 4}));
  EXPECT_EQ(out[1].shape, (Shape{2, 0}));
  EXPECT_EQ(out[2].values, (V{2, 3, 5, 6}));
}

TEST(ImageValues, Reductions) {
  const Data x{{2, 3}, {1, 5, 3, 4, 2, 6}};
  const auto out = harness::run(
      [](const Tensors& in) {
        const Tensor& a = in[0];
        return Tensors{sum(a, {0}), sum(a, {1}, true), mean(a, {-1}),  mean(a, {0, 1}),
                       max(a, {0}), max(a, {1}, true), max(a, {0, 1}), sum(a, {})};
      },
      {x});
  EXPECT_EQ(out[0].values, (V{5, 7, 9}));
  EXPECT_EQ(out[0].shape, (Shape{3}));
  EXPECT_EQ(out[1].values, (V{9, 12}));
  EXPECT_EQ(out[1].shape, (Shape{2, 1}));
  expect_near(out[2].values, {3, 4}, 1e-12);
  expect_near(out[3].values, {3.5}, 1e-12);
  EXPECT_EQ(out[3].shape, Shape{});
  EXPECT_EQ(out[4].values, (V{4, 5, 6}));
  EXPECT_EQ(out[5].values, (V{5, 6}));
  EXPECT_EQ(out[5].shape, (Shape{2, 1}));
  EXPECT_EQ(out[6].values, V{6});
  EXPECT_EQ(out[7].values, x.values);
}

}  // namespace
}  // namespace fovea
