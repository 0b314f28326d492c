#include "fovea/core/error.h"
#include "fovea/ops/conv.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// The weights' gradient of a random depthwise convolution of x; nothing when it does not fit.
std::optional<Problem> random_problem(Random& random, Type x, Layout layout) {
  ConvGeometry g;
  Shape kernel;
  g.groups = x.dim(1);
  for (int a = 2; a < x.rank(); ++a) {
    kernel = kernel.concat({pick(random, 1, random.below(3) == 0 ? 7 : 4)});
    g.stride.push_back(pick(random, 1, 3));
    g.dilation.push_back(random.below(3) == 0 ? 2 : 1);
    g.padding_begin.push_back(pick(random, 0, 4));
    g.padding_end.push_back(pick(random, 0, 4));
  }
  const Shape weight = Shape{x.dim(1), 1}.concat(kernel);
  Type dy = x;
  try {
    const Conv forward{.geometry = g, .kernel = kernel};
    dy.shape = forward.infer({x, {x.dtype, weight}})[0].shape;
  } catch (const Error&) {
    return std::nullopt;
  }
  x.layout = dy.layout = layout;
  const ConvBackwardWeights op{.geometry = g, .weight = weight, .bias = random.below(2) == 0};
  Types out{{DType::f32, weight}};
  if (op.bias) out.push_back({DType::f32, {x.dim(1)}});
  return Problem{op, {x, dy}, out};
}

TEST(Depthwise, WeightGradientsEqualTheirReference) {
  Random random(1, "depthwise");
  for (int trial = 0; trial < 2 * shapes_per_op;) {
    const Layout layout = pick<Layout>(random, {Layout::channels_last, Layout::blocked16});
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const auto problem = random_problem(random, x, layout);
    if (!problem) continue;
    ASSERT_TRUE(check("simd", *problem, random_inputs(*problem, random), {32, Scale::absolute}));
    ++trial;
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
  EXPECT_EQ(refusal("simd", problem(x, {8, 1, 5, 5})), std::nullopt);
  EXPECT_EQ(refusal("onednn", problem(x, {8, 1, 5, 5})),
            "simd is faster for depthwise windows wider than 3");
  EXPECT_EQ(refusal("simd", problem(x, {16, 1, 5, 5})), "only depthwise convolutions");
  Type other = x;
  other.layout = Layout::plain;
  EXPECT_EQ(refusal("simd", problem(other, {8, 1, 5, 5})), "only channels-last and blocked16");
  other = {DType::f64, x.shape, Layout::channels_last};
  EXPECT_EQ(refusal("simd", problem(other, {8, 1, 5, 5})),
            "only f32, or bf16 or f16 with f32 gradients");
}

}  // namespace
}  // namespace fovea::kernel_test
