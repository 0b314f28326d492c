#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/ops/depthwise_block.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

Epilogue random_epilogue(Random& random, bool adds) {
  Epilogue epilogue;
  for (int64_t steps = pick(random, 0, 2); steps > 0; --steps) {
    EpilogueStep step;
    if (!adds || random.below(2) == 0)
      step.activation = pick<UnaryKind>(
          random, {UnaryKind::relu, UnaryKind::relu6, UnaryKind::silu, UnaryKind::hardswish});
    epilogue.append(step);
  }
  return epilogue;
}

/// A random block from x [N, C, H, W] of `channels` to `out` ones; nothing when it does not fit.
std::optional<Problem> random_problem(Random& random, const Type& x, int64_t channels,
                                      int64_t out) {
  DepthwiseBlock op{.expands = channels != x.dim(1) || random.below(2) == 0,
                    .projects = out != channels || random.below(2) == 0};
  Shape kernel;
  op.geometry.groups = channels;
  for (int axis = 0; axis < 2; ++axis) {
    kernel = kernel.concat({pick(random, 1, 5)});
    op.geometry.stride.push_back(pick(random, 1, 3));
    op.geometry.dilation.push_back(pick(random, 1, random.below(3) == 0 ? 3 : 1));
    op.geometry.padding_begin.push_back(pick(random, 0, 3));
    op.geometry.padding_end.push_back(pick(random, 0, 3));
  }
  op.kernel = kernel;
  op.expanded = op.expands ? random_epilogue(random, false) : Epilogue{};
  op.filtered = random_epilogue(random, !op.projects);
  op.projected = op.projects ? random_epilogue(random, true) : Epilogue{};
  Types in{{x.dtype, x.shape}};
  const auto add = [&](const Shape& weight) {
    in.push_back({x.dtype, weight});
    in.push_back({x.dtype, {weight[0]}});
  };
  if (op.expands) add({channels, x.dim(1), 1, 1});
  add(Shape{channels, 1}.concat(kernel));
  if (op.projects) add({out, channels, 1, 1});
  Problem problem{op, in, {}};
  try {
    const size_t adds = (op.projects ? op.projected : op.filtered).residuals();
    DepthwiseBlock without = op;
    without.projected = without.filtered = {};
    Type y = without.infer(in)[0];
    if (y.numel() == 0) return std::nullopt;
    y.layout = x.layout;
    problem.in.insert(problem.in.end(), adds, y);
    problem.out = {y};
  } catch (const Error&) {
    return std::nullopt;
  }
  // x may lie as it likes where its pixels are multiplied first.
  problem.in[0].layout = op.expands && random.below(4) == 0 ? Layout::plain : x.layout;
  return problem;
}

constexpr Bound block_bound{256, Scale::output, NonFinite::spreads};

TEST(DepthwiseBlock, EqualsItsReferenceForAnyGeometryAndLayout) {
  Random random(1, "depthwise_block");
  for (int trial = 0; trial < shapes_per_op;) {
    const bool blocked = random.below(2) == 0;
    const auto channels = [&] { return blocked ? 16 * pick(random, 1, 4) : pick(random, 1, 70); };
    const int64_t c = channels(), wide = random.below(3) == 0 ? c : channels();
    const Type x{DType::f32,
                 {pick(random, 1, 3), c, pick(random, 1, 20), pick(random, 1, 20)},
                 blocked ? Layout::blocked16 : Layout::channels_last};
    const auto problem = random_problem(random, x, wide, random.below(3) == 0 ? wide : channels());
    if (!problem) continue;
    ASSERT_TRUE(check("simd", *problem, random_inputs(*problem, random), block_bound));
    ++trial;
  }
}

/// Planes of which the buffers hold only a part: their bands need rows of each other.
TEST(DepthwiseBlock, LargePlanesEqualTheirReference) {
  Random random(2, "depthwise_block");
  for (const int64_t stride : {1, 2}) {
    Epilogue relu6;
    relu6.append({.activation = UnaryKind::relu6});
    Epilogue add;
    add.append({});
    const DepthwiseBlock op{.expands = true,
                            .projects = true,
                            .geometry = {{stride, stride}, {1, 1}, {1, 1}, {1, 1}, 96},
                            .kernel = {3, 3},
                            .expanded = relu6,
                            .filtered = relu6,
                            .projected = add};
    const Type x{DType::f32, {1, 16, 61, 131}, Layout::blocked16};
    const Type y{DType::f32,
                 {1, 16, (61 + stride - 1) / stride, (131 + stride - 1) / stride},
                 Layout::blocked16};
    const auto vector = [](int64_t n) { return Type{DType::f32, {n}}; };
    const Problem problem{op,
                          {x,
                           {DType::f32, {96, 16, 1, 1}},
                           vector(96),
                           {DType::f32, {96, 1, 3, 3}},
                           vector(96),
                           {DType::f32, {16, 96, 1, 1}},
                           vector(16),
                           y},
                          {y}};
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), block_bound));
  }
}

TEST(DepthwiseBlock, SaysWhatItRefuses) {
  const DepthwiseBlock op{.geometry = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, 8}, .kernel = {3, 3}};
  const auto problem = [&](Type x) {
    const Type y = x;
    return Problem{op, {x, {x.dtype, {8, 1, 3, 3}}, {x.dtype, {8}}}, {y}};
  };
  Type x{DType::f32, {2, 8, 9, 9}, Layout::channels_last};
  EXPECT_EQ(refusal("simd", problem(x)), std::nullopt);
  x.layout = Layout::plain;
  EXPECT_EQ(refusal("simd", problem(x)), "only channels-last and blocked16");
  x = {DType::f64, {2, 8, 9, 9}, Layout::channels_last};
  EXPECT_EQ(refusal("simd", problem(x)), "only f32");
  x = {DType::f32, {0, 8, 9, 9}, Layout::channels_last};
  EXPECT_EQ(refusal("simd", problem(x)), "nothing to compute for empty values");
}

}  // namespace
}  // namespace fovea::kernel_test
