#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/ops/conv.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// A pass of a random depthwise convolution of x; nothing when it does not fit.
std::optional<Problem> random_problem(Random& random, int pass, Type x, Layout layout) {
  ConvGeometry g;
  Shape kernel;
  g.groups = x.dim(1);
  for (int a = 2; a < x.rank(); ++a) {
    kernel = kernel.concat({pick(random, 1, random.below(3) == 0 ? 7 : 4)});
    g.stride.push_back(pick(random, 1, 3));
    g.dilation.push_back(pick(random, 1, random.below(3) == 0 ? 3 : 1));
    g.padding_begin.push_back(pick(random, 0, 4));
    g.padding_end.push_back(pick(random, 0, 4));
  }
  const Type weight{x.dtype, Shape{x.dim(1), 1}.concat(kernel)};
  Conv forward{.geometry = g, .kernel = kernel};
  Type y = x;
  try {
    y.shape = forward.infer({x, weight})[0].shape;
  } catch (const Error&) {
    return std::nullopt;
  }
  if (y.numel() == 0) return std::nullopt;
  x.layout = y.layout = layout;
  const bool bias = random.below(2) == 0;
  if (pass == 1) return Problem{ConvBackwardData{g, x.shape}, {weight, y}, {x}};
  if (pass == 2) {
    Types out{{DType::f32, weight.shape}};
    if (bias) out.push_back({DType::f32, {x.dim(1)}});
    return Problem{ConvBackwardWeights{g, weight.shape, bias}, {x, y}, out};
  }
  forward.bias = bias;
  for (int64_t steps = pick(random, 0, 3); steps > 0; --steps) {
    EpilogueStep step;
    if (random.below(2) == 0)
      step.activation =
          pick<UnaryKind>(random, {UnaryKind::relu6, UnaryKind::silu, UnaryKind::hardswish});
    forward.epilogue.append(step);
  }
  Types in{x, weight};
  if (bias) in.push_back({DType::f32, {x.dim(1)}});
  in.insert(in.end(), forward.epilogue.residuals(), y);
  return Problem{forward, in, {y}};
}

/// Relative to the largest output: zeros of the padding are multiplied too.
constexpr Bound depthwise_bound{64, Scale::output, NonFinite::spreads};

TEST(Depthwise, EveryPassEqualsItsReferenceForAnyGeometryLayoutAndType) {
  Random random(1, "depthwise");
  for (int trial = 0; trial < 3 * shapes_per_op;) {
    const Layout layout = pick<Layout>(random, {Layout::channels_last, Layout::blocked16});
    const Type x = random_image(random, layout, 0, true, value_dtypes[trial / 3 % 3]);
    const auto problem = random_problem(random, trial % 3, x, layout);
    if (!problem) continue;
    ASSERT_TRUE(
        check("simd:depthwise", *problem, random_inputs(*problem, random), depthwise_bound));
    ++trial;
  }
}

/// Channels-last floats in blocks of 16 channels are read where they are: taps in the padding are
/// left out, of windows as wide as the image, too.
TEST(Depthwise, PixelsThatAreReadWhereTheyAreEqualTheirReference) {
  Random random(3, "depthwise");
  for (int trial = 0; trial < 3 * shapes_per_op;) {
    const Type x{DType::f32,
                 {pick(random, 1, 4), 16 * pick(random, 1, 4), pick(random, 1, 12),
                  random.below(2) == 0 ? pick(random, 1, 12) : pick(random, 13, 60)}};
    const auto problem = random_problem(random, trial % 3, x, Layout::channels_last);
    if (!problem) continue;
    ASSERT_TRUE(
        check("simd:depthwise", *problem, random_inputs(*problem, random), depthwise_bound));
    ++trial;
  }
}

/// Planes that are cut into several bands, and large enough to be written around the caches.
TEST(Depthwise, LargePlanesEqualTheirReference) {
  Random random(2, "depthwise");
  for (int trial = 0; trial < 12; ++trial) {
    const int64_t stride = 1 + trial % 2;
    const int pass = trial / 2 % 3;
    const ConvGeometry g{{stride, stride}, {1, 1}, {1, 1}, {1, 1}, 32};
    const Type x{
        DType::f32, {2, 32, 160, 131}, trial < 6 ? Layout::blocked16 : Layout::channels_last};
    const Type weight{DType::f32, {32, 1, 3, 3}};
    Conv forward{.geometry = g, .kernel = {3, 3}};
    Type y{DType::f32, forward.infer({{x.dtype, x.shape}, weight})[0].shape, x.layout};
    const Problem problem = pass == 0 ? Problem{forward, {x, weight}, {y}}
                            : pass == 1
                                ? Problem{ConvBackwardData{g, x.shape}, {weight, y}, {x}}
                                : Problem{ConvBackwardWeights{g, weight.shape}, {x, y}, {weight}};
    ASSERT_TRUE(check("simd:depthwise", problem, random_inputs(problem, random), depthwise_bound));
  }
}

TEST(Depthwise, WeightsOfWideWindowsAreItsOwnInEitherLayout) {
  const ConvGeometry g{{2, 2}, {1, 1}, {2, 2}, {2, 2}, 32};
  for (const Layout layout : {Layout::channels_last, Layout::blocked16}) {
    const Type x{DType::f32, {2, 32, 15, 15}, layout}, y{DType::f32, {2, 32, 8, 8}, layout};
    const Type weight{DType::f32, {32, 1, 5, 5}};
    const Problem problem{ConvBackwardWeights{g, weight.shape}, {x, y}, {weight}};
    EXPECT_EQ(choose_kernel(problem).name, "simd:depthwise");
    const auto offers = priced_layouts(problem);
    const auto best = std::ranges::min_element(offers, {}, &PricedLayouts::seconds);
    ASSERT_NE(best, offers.end());
    EXPECT_EQ(in_layouts(problem, best->layouts).in, problem.in);
  }
}

TEST(Depthwise, AcceptsReorderedInputs) {
  const ConvGeometry g{{1, 1}, {1, 1}, {2, 2}, {2, 2}, 16};
  const Type x{DType::f32, {2, 16, 9, 9}}, dy{DType::f32, x.shape, Layout::blocked16};
  const Shape weight{16, 1, 5, 5};
  const Problem problem{ConvBackwardWeights{g, weight}, {x, dy}, {{DType::f32, weight}}};
  EXPECT_EQ(choose_kernel(problem).name, "onednn:reordered");
  Random random(2, "depthwise");
  EXPECT_TRUE(
      check("onednn:reordered", problem, random_inputs(problem, random), {32, Scale::absolute}));
}

TEST(Depthwise, SaysWhatItRefuses) {
  const ConvGeometry g{{1, 1}, {1, 1}, {2, 2}, {2, 2}, 8};
  const Type x{DType::f32, {2, 8, 9, 9}, Layout::channels_last};
  const auto problem = [&](const Type& image, const Shape& weight) {
    return Problem{ConvBackwardWeights{g, weight}, {image, image}, {{DType::f32, weight}}};
  };
  EXPECT_EQ(refusal("simd:depthwise", problem(x, {8, 1, 5, 5})), std::nullopt);
  EXPECT_EQ(refusal("onednn", problem(x, {8, 1, 5, 5})),
            "simd is faster for depthwise windows wider than 3");
  EXPECT_EQ(refusal("simd:depthwise", problem(x, {16, 1, 5, 5})), "only depthwise convolutions");
  Type other = x;
  other.layout = Layout::plain;
  EXPECT_EQ(refusal("simd:depthwise", problem(other, {8, 1, 5, 5})),
            "only channels-last and blocked16");
  other = {DType::f64, x.shape, Layout::channels_last};
  EXPECT_EQ(refusal("simd:depthwise", problem(other, {8, 1, 5, 5})), "only f32, bf16 or f16");
  other = {DType::f32, {0, 8, 9, 9}, Layout::channels_last};
  EXPECT_EQ(refusal("simd:depthwise", problem(other, {8, 1, 5, 5})),
            "nothing to compute for empty values");
}

}  // namespace
}  // namespace fovea::kernel_test
