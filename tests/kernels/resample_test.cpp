#include "fovea/core/error.h"
#include "fovea/ops/pad.h"
#include "fovea/ops/upsample.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Any mode and borders that x allows, empty ones and longer ones than x among them.
Pad random_pad(Random& random, const Type& x) {
  for (;;) {
    Pad pad;
    pad.mode = pick(random, std::vector{PadMode::constant, PadMode::reflect, PadMode::replicate,
                                        PadMode::circular});
    if (pad.mode == PadMode::constant) pad.value = random.normal();
    for (int a = 2; a < x.rank(); ++a) {
      pad.begin.push_back(pick(random, 0, 4));
      pad.end.push_back(random.below(8) == 0 ? 20 : pick(random, 0, 3));
    }
    try {
      (void)pad.infer({x});
      return pad;
    } catch (const Error&) {
    }
  }
}

TEST(Pad, EqualsItsReferenceForAnyModeAndLayout) {
  Random random(1, "pad");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Problem problem = make_problem(random_pad(random, x), {x}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {0.51}));
  }
}

TEST(Pad, GradientsEqualTheirReference) {
  Random random(2, "pad");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Pad pad = random_pad(random, x);
    const Problem problem = make_problem(PadBackward{pad, x.shape}, pad.infer({x}), layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {48, Scale::absolute}));
  }
}

TEST(Pad, OfAnEmptyAxisIsTheConstant) {
  const Problem problem =
      make_problem(Pad{{1, 2}, {0, 3}, PadMode::constant, 7}, {{DType::f32, {2, 3, 4, 0}}});
  Random random(3, "pad");
  EXPECT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
}

Upsample random_upsample(Random& random, const Type& x) {
  Upsample op;
  op.mode = random.below(2) == 0 ? UpsampleMode::nearest : UpsampleMode::linear;
  op.align_corners = op.mode == UpsampleMode::linear && random.below(2) == 0;
  const int64_t scale = pick(random, 1, 2);
  for (int a = 2; a < x.rank(); ++a) {
    const int64_t size = x.dim(a);
    op.output.push_back(random.below(2) == 0 ? size * scale : pick(random, 1, 2 * size + 2));
  }
  if (op.align_corners || random.below(3) > 0) return op;
  for (size_t a = 0; a < op.output.size(); ++a) {  // a scale of which the output is rounded down
    const auto in = static_cast<double>(x.dim(static_cast<int>(a) + 2));
    op.scale.push_back((static_cast<double>(op.output[a]) + 0.4) / in);
  }
  return op;
}

TEST(Upsample, EqualsItsReferenceForAnyModeAndLayout) {
  Random random(4, "upsample");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Upsample op = random_upsample(random, x);
    const Problem problem = make_problem(op, {x}, layout);
    const double eps = op.mode == UpsampleMode::nearest ? 0 : 10;
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {eps, Scale::absolute}));
  }
}

TEST(Upsample, GradientsEqualTheirReference) {
  Random random(5, "upsample");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Upsample op = random_upsample(random, x);
    const Problem problem = make_problem(UpsampleBackward{op, x.shape}, op.infer({x}), layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {32, Scale::absolute}));
  }
}

TEST(Resample, OtherTypesAreRefused) {
  const Type x{DType::f64, {1, 2, 4}};
  EXPECT_EQ(refusal("simd", make_problem(Pad{{1}, {1}}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(Upsample{{8}}, {x})), "only f32, bf16 or f16");
}

}  // namespace
}  // namespace fovea::kernel_test
