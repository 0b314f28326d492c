#include <cmath>
#include <limits>

#include "fovea/core/error.h"
#include "fovea/ops/pool.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// A random window for x, or one that 2x2 nets use; nothing when it does not fit.
std::optional<PoolGeometry> random_geometry(Random& random, const Type& x) {
  const auto axes = static_cast<size_t>(x.rank() - 2);
  PoolGeometry g;
  const bool usual = random.below(3) == 0;
  for (size_t a = 0; a < axes; ++a) {
    g.kernel.push_back(usual ? 2 : pick(random, 1, 4));
    g.stride.push_back(usual ? 2 : pick(random, 1, 3));
    g.dilation.push_back(usual || random.below(3) != 0 ? 1 : pick(random, 1, 2));
    const int64_t span = g.dilation[a] * (g.kernel[a] - 1) + 1;
    g.padding_begin.push_back(usual ? 0 : pick(random, 0, span / 2));
    g.padding_end.push_back(usual ? 0 : pick(random, 0, span / 2));
  }
  g.ceil_mode = random.below(4) == 0;
  try {
    (void)MaxPool{g}.infer({x});
    return g;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Few different values, so that windows have ties; now and then NaN or -inf.
void fill_with_ties(Array& x, Random& random, bool special) {
  for (float& v : x.data<float>()) {
    v = static_cast<float>(random.below(5)) - 2;
    if (special && random.below(20) == 0)
      v = pick<float>(random, {std::nanf(""), -std::numeric_limits<float>::infinity(), -0.f});
  }
}

TEST(MaxPool, IsItsReferenceForAnyWindowAndLayout) {
  Random random(1, "max_pool");
  for (int trial = 0; trial < 200;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const Problem problem = make_problem(MaxPool{*geometry}, {x}, layout);
    Array data(DType::f32, x.shape);
    fill_with_ties(data, random, trial % 2 == 0);
    ASSERT_TRUE(check("simd", problem, {data}, {}));
    ++trial;
  }
}

TEST(MaxPool, GradientsGoToTheFirstMaximum) {
  Random random(2, "max_pool");
  for (int trial = 0; trial < 200;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const Problem forward = make_problem(MaxPool{*geometry}, {x}, layout);
    Array data(DType::f32, x.shape);
    fill_with_ties(data, random, trial % 2 == 0);
    const Array y = reference_outputs(forward, {data})[0].astype(DType::f32);
    const Type y_type{DType::f32, y.shape()};
    const Problem problem = make_problem(MaxPoolBackward{*geometry}, {x, y_type, y_type}, layout);
    std::vector<Array> in = random_inputs(problem, random);
    in[0] = data;
    in[1] = y;
    const Bound sums{8, Scale::output};
    ASSERT_TRUE(check("simd", problem, in, sums));
    ++trial;
  }
}

TEST(AdaptiveAvgPool, IsItsReferenceForAnyBinsAndLayout) {
  Random random(3, "adaptive");
  for (int trial = 0; trial < 150; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout);
    std::vector<int64_t> bins;
    for (int a = 2; a < x.rank(); ++a) bins.push_back(trial % 2 ? 1 : pick(random, 1, 7));
    const Problem problem = make_problem(AdaptiveAvgPool{bins}, {x}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {32, Scale::absolute}));
  }
}

TEST(AdaptiveAvgPool, GradientsAreTheirReference) {
  Random random(4, "adaptive");
  for (int trial = 0; trial < 150; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout);
    Shape y = x.shape;
    for (int a = 2; a < x.rank(); ++a) y.set(a, trial % 2 ? 1 : pick(random, 1, 7));
    const Problem problem =
        make_problem(AdaptiveAvgPoolBackward{x.shape}, {{DType::f32, y}}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {8, Scale::absolute}));
  }
}

TEST(Pool, OtherTypesAndHugeWindowsAreRefused) {
  const Type x{DType::f64, {1, 2, 4}};
  const MaxPool pool{{.kernel = {2},
                      .stride = {2},
                      .padding_begin = {0},
                      .padding_end = {0},
                      .dilation = {1},
                      .ceil_mode = false}};
  EXPECT_EQ(refusal("simd", make_problem(pool, {x})), "only f32");
  MaxPool huge = pool;
  huge.kernel = {300};
  EXPECT_EQ(refusal("simd", make_problem(huge, {{DType::f32, {1, 2, 400}}})),
            "only windows of up to 256 elements");
  EXPECT_EQ(refusal("simd", make_problem(AdaptiveAvgPool{{1}}, {x})), "only f32");
}

}  // namespace
}  // namespace fovea::kernel_test
