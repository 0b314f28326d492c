// oneDNN's kernels for Winograd's algorithm.

#include "fovea/core/random.h"
#include "fovea/kernels/winograd.h"
#include "fovea/ops/conv.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Relative to the largest output; sums of 288 to 610 products of numbers of about 1.
constexpr Bound onednn{256, Scale::output, NonFinite::spreads};

struct Sizes {
  Type x, weight, y;
};

Sizes random_sizes(Random& random) {
  const int64_t n = pick(random, 16, 18), side = pick(random, std::vector<int64_t>{7, 8, 12});
  const int64_t in = 16 * pick(random, 2, 4), out = 16 * pick(random, 2, 4);
  return {{DType::f32, {n, in, side, side}},
          {DType::f32, {out, in, 3, 3}},
          {DType::f32, {n, out, side, side}}};
}

/// A convolution that Winograd pays for.
Problem large_conv() {
  Problem problem =
      make_problem(Conv{.geometry = same, .kernel = {3, 3}},
                   {{DType::f32, {16, 64, 8, 8}}, {DType::f32, {64, 64, 3, 3}}}, Layout::blocked16);
  problem.in[1].layout = Layout::plain;
  return problem;
}

TEST(Winograd, IsThereWithOneDnn2AndAvx512AndRefusesElsewhere) {
  const auto why = refusal("onednn:winograd", large_conv());
  const bool avx512 = preferred_layout({DType::f32, {8, 64, 8, 8}}) == Layout::blocked16;
  if (!why) {
    EXPECT_TRUE(avx512);
    return;
  }
  EXPECT_TRUE(why->starts_with("oneDNN ")) << *why;
  EXPECT_TRUE(why->ends_with(" has no Winograd kernel here: that needs oneDNN 2 and AVX-512"))
      << *why;
  EXPECT_FALSE(avx512 && why->starts_with("oneDNN 2.")) << *why;
}

TEST(Winograd, EveryPassEqualsItsReference) {
  if (const auto why = refusal("onednn:winograd", large_conv())) GTEST_SKIP() << *why;
  Random random(1, "winograd");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Sizes s = random_sizes(random);
    const auto run = [&](const Op& op, const Types& in) {
      Problem problem = make_problem(op, in, Layout::blocked16);
      for (size_t i = 0; i < in.size(); ++i) {  // weights are plain
        if (in[i].shape == s.weight.shape) problem.in[i].layout = Layout::plain;
      }
      for (Type& type : problem.out) {
        if (type.shape == s.weight.shape) type.layout = Layout::plain;
      }
      ASSERT_TRUE(
          check("onednn:winograd", problem, random_inputs(problem, random), onednn, {1, 2}, false));
    };
    switch (trial % 3) {
      case 0:
        run(Conv{.geometry = same,
                 .kernel = {3, 3},
                 .epilogue = {.codes = std::vector<int64_t>(trial % 2 == 0 ? 1 : 0),  // relu
                              .alphas = std::vector<double>(trial % 2 == 0 ? 1 : 0)}},
            {s.x, s.weight});
        break;
      case 1:
        run(ConvBackwardData{same, s.x.shape}, {s.weight, s.y});
        break;
      default:
        run(ConvBackwardWeights{same, s.weight.shape}, {s.x, s.y});
        break;
    }
  }
}

TEST(Winograd, SaysWhenItDoesNotPay) {
  const auto why = [](Shape x, Shape weight, ConvGeometry geometry = same) {
    const Shape kernel = weight.slice(2);
    return refusal("onednn:winograd",
                   make_problem(Conv{.geometry = geometry, .kernel = kernel},
                                {{DType::f32, x, Layout::blocked16}, {DType::f32, weight}},
                                Layout::blocked16))
        .value_or("accepted");
  };
  ConvGeometry strided = same;
  strided.stride = {2, 2};
  EXPECT_EQ(why({8, 64, 8, 8}, {64, 64, 3, 3}, strided),
            "only 3x3 kernels, stride 1, no dilation, no groups");
  EXPECT_EQ(why({16, 16, 8, 8}, {16, 16, 3, 3}),
            "fewer than 32 channels: the transforms cost more than they save");
  EXPECT_EQ(why({8, 64, 5, 5}, {64, 64, 3, 3}),
            "4x4 tiles would exceed the plane by more than a quarter");
  EXPECT_EQ(why({2, 64, 32, 32}, {64, 64, 3, 3}),
            "too few tiles: needs a batch of 16 images and 64 tiles");
}

TEST(Winograd, CanBeSwitchedOff) {
  const WinogradScope never(Winograd::never);
  EXPECT_EQ(refusal("onednn:winograd", large_conv()), "switched off (--no-winograd, set_winograd)");
}

}  // namespace
}  // namespace fovea::kernel_test
