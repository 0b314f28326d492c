#include <cmath>
#include <cstring>

#include "fovea/ops/fold.h"
#include "fovea/ops/norm.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// x in the layout with at least two values per channel, sometimes two-dimensional.
Type random_batch(Random& random, Layout layout, DType dtype) {
  for (;;) {
    Type x = random_image(random, layout, 0, true, dtype);
    if (random.below(6) == 0) x.shape = {pick(random, 2, 300), pick(random, 1, 70)};
    if (x.numel() / x.dim(1) >= 2) return x;
  }
}

Types with_vectors(const Type& x, size_t vectors) {
  Types in{x};
  in.resize(1 + vectors, {DType::f32, {x.dim(1)}});
  return in;
}

void make_positive(Array& array) {
  for (float& v : array.data<float>()) v = std::abs(v) + 0.1f;
}

/// With or without a residual; in seven trials, none and each of the activations that norms have,
/// and in 21 each with each of three types.
NormEpilogue random_epilogue(Random& random, int trial) {
  constexpr std::optional<UnaryKind> activations[] = {
      std::nullopt,         UnaryKind::relu, UnaryKind::leaky_relu, UnaryKind::relu6,
      UnaryKind::hardswish, UnaryKind::silu, UnaryKind::gelu};
  NormEpilogue epilogue{
      .residual = random.below(2) == 0,
      .activation = activations[static_cast<size_t>(trial) % std::size(activations)]};
  if (epilogue.activation == UnaryKind::leaky_relu) epilogue.alpha = 0.25;
  return epilogue;
}

/// Rounds to eighths, so that sums and products of a few are exact; plus `offset`.
void make_exact(Array& array, double offset = 0) {
  for (int64_t i = 0; i < array.numel(); ++i)
    array.set(i, std::round(array.at(i) * 8) / 8 + offset);
}

/// For sums of some thousand terms of about 1, which may cancel.
constexpr Bound of_sums{512, Scale::unit};

TEST(BatchNorm, TrainingEqualsItsReferenceInEveryLayoutAndForm) {
  Random random(1, "batch_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const BatchNorm op{.epilogue = random_epilogue(random, trial)};
    const Type x = random_batch(random, layout, value_dtypes[trial % 3]);
    Types in = with_vectors(x, 4);
    if (op.epilogue.residual) in.push_back(x);
    const Problem problem = make_problem(op, in, layout);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[4]);
    ASSERT_TRUE(check("simd", problem, data, {32, Scale::unit}));
  }
}

TEST(BatchNorm, AMeanFarFromZeroKeepsTheVariance) {
  Random random(2, "batch_norm");
  for (Layout layout : layouts) {  // E[x^2] - E[x]^2 in floats would lose every digit here
    const Problem problem =
        make_problem(BatchNorm{}, with_vectors({DType::f32, {4, 32, 20, 30}}, 4), layout);
    std::vector<Array> data = random_inputs(problem, random);
    for (float& v : data[0].data<float>()) v = 5000 + std::round(v * 64) / 64;
    ASSERT_TRUE(check("simd", problem, data, {8192, Scale::output}));
    const Array rstd = reference_outputs(problem, data)[2];
    EXPECT_NEAR(rstd.at(0), 1, 0.1);
  }
}

TEST(BatchNorm, OnceMoreGivesTheSameBits) {
  Random random(8, "batch_norm");
  for (int trial = 0; trial < 100; ++trial) {
    const Layout layout = pick(random, layouts);
    const NormEpilogue epilogue = random_epilogue(random, trial);
    const Type x = random_batch(random, layout, value_dtypes[trial % 3]);
    Types in = with_vectors(x, 4);
    if (epilogue.residual) in.push_back(x);
    const Problem first = make_problem(BatchNorm{.epilogue = epilogue}, in, layout);
    std::vector<Array> data = random_inputs(first, random);
    make_positive(data[4]);
    const std::vector<Array> y = outputs_of(first, data);
    std::vector<Array> again{data[0], y[1], y[5], data[2]};
    Types types = with_vectors(x, 3);
    if (epilogue.residual) {
      again.push_back(data[5]);
      types.push_back(x);
    }
    const Problem second = make_problem(BatchNormAgain{epilogue}, types, layout);
    const Array z = outputs_of(second, again)[0];
    ASSERT_EQ(std::memcmp(z.raw(), y[0].raw(), z.bytes()), 0) << describe(first);
    ASSERT_TRUE(check("simd", second, again, {8, Scale::unit}));
  }
}

TEST(BatchNorm, StatisticsAloneAreThoseOfTheNorm) {
  Random random(15, "batch_norm");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_batch(random, layout, value_dtypes[trial % 3]);
    const Problem norm = make_problem(BatchNorm{}, with_vectors(x, 4), layout);
    std::vector<Array> data = random_inputs(norm, random);
    make_positive(data[4]);
    const std::vector<Array> y = outputs_of(norm, data);
    const Problem alone = make_problem(BatchNormStatistics{}, with_vectors(x, 3), layout);
    data.erase(data.begin() + 2);  // beta
    ASSERT_TRUE(check("simd", alone, data, {32, Scale::unit}));
    const std::vector<Array> statistics = outputs_of(alone, data);
    const Problem from_moments = make_problem(BatchNormStatistics{.count = x.numel() / x.dim(1)},
                                              Types(5, Type{DType::f32, {x.dim(1)}}), layout);
    std::vector<Array> moments = random_inputs(from_moments, random);
    make_positive(moments[1]);
    make_positive(moments[4]);
    ASSERT_TRUE(check("simd", from_moments, moments, {8, Scale::unit}));
    for (size_t i = 0; i < statistics.size(); ++i)
      ASSERT_EQ(std::memcmp(statistics[i].raw(), y[i + 1].raw(), y[i + 1].bytes()), 0) << i;
  }
}

/// Values of more elements than a core's caches hold: those of f32 in whole lines go past them.
struct Large {
  Shape shape;
  Layout layout = Layout::plain;
  DType dtype = DType::f32;
};
const std::vector<Large> large_values{{{3, 32, 111, 103}, Layout::blocked16},
                                      {{4, 80, 57, 58}, Layout::blocked16},
                                      {{2, 48, 107, 103}, Layout::channels_last},
                                      {{17'001, 64}},
                                      {{1, 37, 170, 171}, Layout::channels_last},  // no whole lines
                                      {{2, 19, 170, 171}},                         // nor here
                                      {{3, 32, 111, 103}, Layout::blocked16, DType::bf16}};

TEST(BatchNorm, LargeValuesEqualTheReference) {
  Random random(12, "batch_norm");
  for (size_t i = 0; i < large_values.size(); ++i) {
    const auto& [shape, layout, dtype] = large_values[i];
    const Type x{dtype, shape};
    const NormEpilogue epilogue{.residual = i % 2 == 0, .activation = UnaryKind::relu};
    Types in = with_vectors(x, 4), again = with_vectors(x, 3);
    if (epilogue.residual) in.push_back(x), again.push_back(x);
    const Problem first = make_problem(BatchNorm{.epilogue = epilogue}, in, layout);
    ASSERT_GT(x.numel(), 1 << 20);
    std::vector<Array> data = random_inputs(first, random);
    make_positive(data[4]);
    ASSERT_TRUE(check("simd", first, data, {32, Scale::unit}));
    data.erase(data.begin() + 4);  // also in place
    const Problem second = make_problem(BatchNormAgain{epilogue}, again, layout);
    ASSERT_TRUE(check("simd", second, data, {8, Scale::unit}));
  }
}

TEST(BatchNorm, LargeGradientsEqualTheirReference) {
  Random random(13, "batch_norm");
  for (const auto& [shape, layout, dtype] : large_values) {
    const Type x{dtype, shape};
    Types in = with_vectors(x, 3);
    in.push_back(x);
    const Problem problem = make_problem(BatchNormBackward{}, in, layout);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[3]);
    ASSERT_TRUE(check("simd", problem, data, {4096, Scale::unit, NonFinite::either}));
  }
}

TEST(BatchNorm, EvalEqualsItsReferenceInEveryLayoutAndForm) {
  Random random(3, "batch_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const BatchNormEval op{.epilogue = random_epilogue(random, trial)};
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    Types in = with_vectors(x, 4);
    if (op.epilogue.residual) in.push_back(x);
    const Problem problem = make_problem(op, in, layout);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[4]);
    ASSERT_TRUE(check("simd", problem, data, {8, Scale::unit}));
  }
}

TEST(BatchNorm, GradientsEqualTheirReferenceInEveryLayoutAndForm) {
  Random random(4, "batch_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const NormEpilogue epilogue = random_epilogue(random, trial);
    const Type x = random_batch(random, layout, value_dtypes[trial % 3]);
    Types in = with_vectors(x, epilogue.activation ? 5 : 3);
    if (epilogue.activation && epilogue.residual) in.push_back(x);
    in.push_back(x);
    const Problem problem = make_problem(BatchNormBackward{epilogue}, in, layout);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[3]);
    if (epilogue.activation) {  // both sides compute exactly what it is applied to, never a kink
      for (size_t i = 0; i + 1 < data.size(); ++i) {
        if (i != 1 && i != 3) make_exact(data[i], i == 5 ? 1.0 / 128 : 0);
      }
    }
    Bound bound = of_sums;
    bound.nonfinite = NonFinite::either;  // its factors are joined in another order
    ASSERT_TRUE(check("simd", problem, data, bound));
  }
}

/// Images that windows of `side` tile.
Type random_tiled(Random& random, Layout layout, DType dtype, int64_t side) {
  const int64_t channels =
      layout == Layout::blocked16 ? 16 * pick(random, 1, 4) : pick(random, 1, 70);
  return {dtype,
          {pick(random, 1, 5), channels, side * pick(random, 1, 12), side * pick(random, 1, 9)}};
}

TEST(BatchNorm, PoolsEqualTheirReferenceForwardAgainAndBackward) {
  Random random(14, "batch_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    NormEpilogue epilogue = random_epilogue(random, trial);
    // Hardswish has equal values left and right of its minimum, of which rounding chooses one.
    const bool ties = epilogue.activation == UnaryKind::hardswish;
    if (trial % 4 == 0 || ties) epilogue.activation = UnaryKind::relu;
    epilogue.residual = false;
    epilogue.pool = trial % 2 == 0 ? 2 : pick(random, 2, 4);
    const Type x = random_tiled(random, layout, value_dtypes[trial % 3], epilogue.pool);
    const Problem first = make_problem(BatchNorm{.epilogue = epilogue}, with_vectors(x, 4), layout);
    std::vector<Array> data = random_inputs(first, random);
    make_positive(data[4]);
    ASSERT_TRUE(check("simd", first, data, {32, Scale::unit}));

    const Problem second = make_problem(BatchNormAgain{epilogue}, with_vectors(x, 3), layout);
    const std::vector<Array> y = outputs_of(first, data);
    const Array z = outputs_of(second, {data[0], y[1], y[5], data[2]})[0];
    ASSERT_EQ(std::memcmp(z.raw(), y[0].raw(), z.bytes()), 0) << describe(first);

    Types in = with_vectors(x, 5);
    in.push_back(epilogue.result(x));
    const Problem backward = make_problem(BatchNormBackward{epilogue}, in, layout);
    data = random_inputs(backward, random);
    make_positive(data[3]);
    for (const size_t i : {0, 2, 4, 5}) make_exact(data[i], i == 5 ? 1.0 / 128 : 0);
    Bound bound = of_sums;
    bound.nonfinite = NonFinite::either;
    ASSERT_TRUE(check("simd", backward, data, bound));
  }
}

TEST(BatchNorm, OfEqualValuesInAWindowTheFirstGetsTheGradient) {
  const NormEpilogue epilogue{.pool = 2};
  Types in = with_vectors({DType::f32, {1, 16, 2, 2}}, 5);
  in.push_back({DType::f32, {1, 16, 1, 1}});
  const Problem problem = make_problem(BatchNormBackward{epilogue}, in, Layout::blocked16);
  std::vector<Array> data;
  for (const Type& type : problem.in) data.push_back(Array::full(DType::f32, type.shape, 0));
  for (float& gamma : data[1].data<float>()) gamma = 1;
  for (float& rstd : data[3].data<float>()) rstd = 1;
  for (float& dy : data[6].data<float>()) dy = 4;
  const std::vector<Array> out = outputs_of(problem, data);
  for (int64_t i = 0; i < 64; ++i) EXPECT_EQ(out[0].at(i), i < 16 ? 3 : -1) << i;  // d - mean of d
}

TEST(BatchNorm, GradientsWithFixedStatisticsEqualTheirReference) {
  Random random(5, "batch_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout, 0, false, value_dtypes[trial % 3]);
    Types in = with_vectors(x, 3);
    in.push_back(x);
    const Problem problem = make_problem(BatchNormEvalBackward{}, in, layout);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[3]);
    ASSERT_TRUE(check("simd", problem, data, of_sums));
  }
}

TEST(LayerNorm, AndItsGradientsEqualTheReference) {
  Random random(6, "layer_norm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const int axes = static_cast<int>(pick(random, 1, 2));
    Type x{value_dtypes[trial % 3], {pick(random, 0, 3), pick(random, 1, 90), pick(random, 1, 40)}};
    if (trial % 20 < 2) x.shape = {2, 3, 2500};
    const Type row{DType::f32, x.shape.slice(3 - axes)};
    const Problem forward = make_problem(LayerNorm{.axes = axes}, {x, row, row});
    ASSERT_TRUE(check("simd", forward, random_inputs(forward, random), {64, Scale::unit}));
    const Type& moments = forward.out[1];
    const Problem backward = make_problem(LayerNormBackward{}, {x, row, moments, moments, x});
    std::vector<Array> data = random_inputs(backward, random);
    make_positive(data[3]);
    ASSERT_TRUE(check("simd", backward, data, {256, Scale::unit}));
  }
}

TEST(BatchNorm, OtherTypesAreRefused) {
  Types in = with_vectors({DType::f64, {2, 3, 4}}, 4);
  for (Type& type : in) type.dtype = DType::f64;
  EXPECT_EQ(refusal("simd", make_problem(BatchNorm{}, in)), "only f32, or bf16 or f16 beside f32");
  EXPECT_EQ(refusal("simd", make_problem(BatchNormEval{}, in)),
            "only f32, or bf16 or f16 beside f32");
}

TEST(BatchNorm, FoldedWeightsEqualTheirReference) {
  Random random(11, "fold_batchnorm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const FoldBatchNorm op{.bias = random.below(2) == 0};
    const int64_t outputs = pick(random, 1, 70);
    Types in{{value_dtypes[trial % 3],
              {outputs, pick(random, 1, 40), pick(random, 1, 3), pick(random, 1, 3)}}};
    in.resize(op.bias ? 6 : 5, {DType::f32, {outputs}});
    const Problem problem = make_problem(op, in);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[4]);
    // Where beta and the shift nearly cancel, the error is that of the terms, a few units here.
    ASSERT_TRUE(check("simd", problem, data, {64, Scale::unit}));
  }
}

TEST(BatchNorm, GradientsOfFoldedWeightsEqualTheirReference) {
  Random random(12, "fold_batchnorm");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const FoldBatchNormBackward op{.bias = random.below(2) == 0};
    const int64_t outputs = pick(random, 1, 70);
    const Type weight{value_dtypes[trial % 3],
                      {outputs, pick(random, 1, 90), pick(random, 1, 5), pick(random, 1, 5)}};
    const Type vector{DType::f32, {outputs}};
    Types in{weight, vector, vector, vector, weight, vector};
    if (op.bias) in.push_back(vector);
    const Problem problem = make_problem(op, in);
    std::vector<Array> data = random_inputs(problem, random);
    make_positive(data[3]);
    ASSERT_TRUE(check("simd", problem, data, {512, Scale::unit}));
  }
}

}  // namespace
}  // namespace fovea::kernel_test
