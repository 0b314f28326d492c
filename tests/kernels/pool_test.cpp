#include <algorithm>
#include <cmath>
#include <limits>

#include "error_text.h"
#include "fovea/core/error.h"
#include "fovea/ops/pool.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// A random window for x, or one that 2x2 nets use; nothing when it does not fit.
std::optional<PoolGeometry> random_geometry(Random& random, const Type& x) {
  const auto axes = static_cast<size_t>(x.rank() - 2);
  PoolGeometry g;
  const bool common = random.below(3) == 0;
  for (size_t a = 0; a < axes; ++a) {
    g.kernel.push_back(common ? 2 : pick(random, 1, 4));
    g.stride.push_back(common ? 2 : pick(random, 1, 3));
    g.dilation.push_back(common || random.below(3) != 0 ? 1 : pick(random, 1, 2));
    const int64_t span = g.dilation[a] * (g.kernel[a] - 1) + 1;
    g.padding_begin.push_back(common ? 0 : pick(random, 0, span / 2));
    g.padding_end.push_back(common ? 0 : pick(random, 0, span / 2));
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
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < x.numel(); ++i) {
    double v = static_cast<double>(random.below(5)) - 2;
    if (special && random.below(20) == 0) v = pick<double>(random, {std::nan(""), -inf, -0.});
    x.set(i, v);
  }
}

TEST(MaxPool, EqualsItsReferenceForAnyWindowAndLayout) {
  Random random(1, "max_pool");
  for (int trial = 0; trial < 2 * shapes_per_op;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const Problem problem = make_problem(MaxPool{*geometry}, {x}, layout);
    Array data(x.dtype, x.shape);
    fill_with_ties(data, random, trial / 2 % 2 == 0);
    ASSERT_TRUE(check("simd", problem, {data}, {}));
    ++trial;
  }
}

TEST(MaxPool, GradientsGoToTheFirstMaximum) {
  Random random(2, "max_pool");
  for (int trial = 0; trial < 2 * shapes_per_op;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const Problem forward = make_problem(MaxPool{*geometry}, {x}, layout);
    Array data(x.dtype, x.shape);
    fill_with_ties(data, random, trial / 2 % 2 == 0);
    const Array y = reference_outputs(forward, {data})[0].astype(x.dtype);
    const Type y_type{x.dtype, y.shape()};
    const Problem problem = make_problem(MaxPoolBackward{*geometry}, {x, y_type, y_type}, layout);
    std::vector<Array> in = random_inputs(problem, random);
    in[0] = data;
    in[1] = y;
    const Bound sums{8, Scale::output};
    ASSERT_TRUE(check("simd", problem, in, sums));
    ++trial;
  }
}

// Windows of audio span hundreds of samples.
TEST(MaxPool, TakesWindowsOfAnySize) {
  Random random(3, "max_pool");
  for (Layout layout : layouts) {
    const Type x{DType::f32, {2, 16, 900}};
    const MaxPool pool{{{300}, {7}, {150}, {20}, {1}}};
    const Problem forward = make_problem(pool, {x}, layout);
    Array data(DType::f32, x.shape);
    fill_with_ties(data, random, false);
    ASSERT_TRUE(check("simd", forward, {data}, {}));
    const Array y = reference_outputs(forward, {data})[0].astype(DType::f32);
    const Type small{DType::f32, y.shape()};
    const Problem problem = make_problem(MaxPoolBackward{pool}, {x, small, small}, layout);
    ASSERT_TRUE(
        check("simd", problem, {data, y, random_inputs(problem, random)[2]}, {8, Scale::output}));
  }
}

TEST(MaxPool, IndicesAreThoseOfTheFirstMaximum) {
  Random random(4, "max_pool");
  for (int trial = 0; trial < 2 * shapes_per_op;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const Problem problem = make_problem(MaxPoolIndices{*geometry}, {x}, layout);
    Array data(x.dtype, x.shape);
    fill_with_ties(data, random, trial / 2 % 2 == 0);
    ASSERT_TRUE(check("simd", problem, {data}, {}));
    ++trial;
  }
}

/// Pooled values of x's kind, indices into planes of `full`, now and then some of them twice.
struct Pooled {
  Type values, full;
  Array indices;
};
Pooled random_pooled(Random& random, Layout layout, DType dtype) {
  const Type values = random_image(random, layout, 0, false, dtype);
  Type full = values;
  for (int a = 2; a < full.rank(); ++a)
    full.shape.set(a, full.dim(a) * pick(random, 1, 2) + pick(random, 0, 2));
  Array indices(DType::i64, values.shape);
  for (int64_t& index : indices.data<int64_t>())
    index = static_cast<int64_t>(random.below(uint64_t(full.shape.slice(2).numel())));
  return {values, full, indices};
}

TEST(MaxUnpool, PutsValuesBackAndTakesTheirGradientsFromThere) {
  Random random(5, "max_unpool");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Pooled p = random_pooled(random, layout, value_dtypes[trial % 3]);
    const Type indices{DType::i64, p.values.shape};
    const Problem forward =
        make_problem(MaxUnpool{p.full.shape.slice(2)}, {p.values, indices}, layout);
    ASSERT_TRUE(check("simd", forward, {random_inputs(forward, random)[0], p.indices}, {}));
    const Problem backward = make_problem(MaxUnpoolBackward{}, {indices, p.full}, layout);
    ASSERT_TRUE(check("simd", backward, {p.indices, random_inputs(backward, random)[1]}, {}));
  }
}

TEST(MaxUnpool, AnIndexOutOfRangeGivesTheErrorOfTheReference) {
  const Type x{DType::f32, {2, 3, 4}}, indices{DType::i64, x.shape}, y{DType::f32, {2, 3, 8}};
  for (const Problem& problem : {make_problem(MaxUnpool{{8}}, {x, indices}),
                                 make_problem(MaxUnpoolBackward{}, {indices, y})}) {
    Random random(6, "max_unpool");
    std::vector<Array> in = random_inputs(problem, random);
    for (Array& array : in) {
      if (array.dtype() == DType::i64) std::fill_n(array.data<int64_t>().begin(), 24, 8);
    }
    const KernelChoice choice = choose_kernel(problem);
    ASSERT_EQ(choice.name, "simd");
    Array out(DType::f32, problem.out[0].shape);
    std::vector<std::byte> scratch(choice.kernel->scratch_bytes());
    const std::byte* inputs[] = {in[0].raw(), in[1].raw()};
    std::byte* outputs[] = {out.raw()};
    EXPECT_EQ(error_text(ErrorKind::data,
                         [&] {
                           choice.kernel->run({inputs, outputs, scratch.data(), nullptr});
                         }),
              "max_unpool: index 8 is not within a channel of 8 elements\n"
              "  try     the spatial shape that was pooled");
  }
}

/// One bin per axis, a number that divides the axis, or any number.
std::vector<int64_t> random_bins(Random& random, const Type& x) {
  std::vector<int64_t> bins;
  const int64_t way = pick(random, 0, 2);
  for (int a = 2; a < x.rank(); ++a) {
    const int64_t size = x.dim(a);
    bins.push_back(way == 0 ? 1 : way == 1 && size % 2 == 0 ? size / 2 : pick(random, 1, 7));
  }
  return bins;
}

TEST(AdaptiveMaxPool, AndItsGradientsEqualTheReference) {
  Random random(7, "adaptive");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Problem forward = make_problem(AdaptiveMaxPool{random_bins(random, x)}, {x}, layout);
    Array data(x.dtype, x.shape);
    fill_with_ties(data, random, trial / 2 % 2 == 0);
    ASSERT_TRUE(check("simd", forward, {data}, {}));
    const Problem backward =
        make_problem(AdaptiveMaxPoolBackward{}, {x, {x.dtype, forward.out[0].shape}}, layout);
    ASSERT_TRUE(
        check("simd", backward, {data, random_inputs(backward, random)[1]}, {8, Scale::output}));
  }
}

TEST(AdaptiveAvgPool, EqualsItsReferenceForAnyBinsAndLayout) {
  Random random(8, "adaptive");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const Problem problem = make_problem(AdaptiveAvgPool{random_bins(random, x)}, {x}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {32, Scale::absolute}));
  }
}

TEST(AdaptiveAvgPool, GradientsEqualTheirReference) {
  Random random(9, "adaptive");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    Type y = x;
    const std::vector<int64_t> bins = random_bins(random, x);
    for (int a = 2; a < x.rank(); ++a) y.shape.set(a, bins[static_cast<size_t>(a - 2)]);
    const Problem problem = make_problem(AdaptiveAvgPoolBackward{x.shape}, {y}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {8, Scale::absolute}));
  }
}

// What oneDNN does not support: dilation and sizes rounded up.
TEST(AvgPool, EqualsItsReferenceForAnyWindowAndLayout) {
  Random random(10, "avg_pool");
  for (int trial = 0; trial < 2 * shapes_per_op;) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    const auto geometry = random_geometry(random, x);
    if (!geometry) continue;
    const AvgPool pool{*geometry, random.below(2) == 0};
    const Problem forward = make_problem(pool, {x}, layout);
    ASSERT_TRUE(check("simd", forward, random_inputs(forward, random), {32, Scale::absolute}));
    Types dy = forward.out;
    dy[0].layout = Layout::plain;
    const Problem backward =
        make_problem(AvgPoolBackward{*geometry, pool.count_include_pad, x.shape}, dy, layout);
    ASSERT_TRUE(check("simd", backward, random_inputs(backward, random), {32, Scale::absolute}));
    ++trial;
  }
}

TEST(Pool, OtherTypesAreRefused) {
  const Type x{DType::f64, {1, 2, 4}};
  const PoolGeometry pool{{2}, {2}, {0}, {0}, {1}};
  EXPECT_EQ(refusal("simd", make_problem(MaxPool{pool}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(MaxPoolIndices{pool}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(AvgPool{pool}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(AdaptiveAvgPool{{1}}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(AdaptiveMaxPool{{1}}, {x})), "only f32, bf16 or f16");
}

}  // namespace
}  // namespace fovea::kernel_test
