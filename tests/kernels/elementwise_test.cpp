#include <cmath>
#include <limits>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/images.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// The bounds that activations-inl.h promises.
Bound bound_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::relu:
    case UnaryKind::leaky_relu:
    case UnaryKind::relu6:
    case UnaryKind::abs:
    case UnaryKind::sign:
      return {1, Scale::element};
    case UnaryKind::sqrt:
      return {2, Scale::element};
    case UnaryKind::pow:  // 4 + 2 |x log base|, exponents up to 110
      return {28, Scale::element};
    case UnaryKind::exp:
    case UnaryKind::log:
      return {4, Scale::element};
    case UnaryKind::hardsigmoid:
    case UnaryKind::hardswish:
      return {2, Scale::unit};
    default:
      return {6, Scale::unit};
  }
}

double parameter_of(UnaryKind kind) {
  if (kind == UnaryKind::elu) return 1.5;
  return kind == UnaryKind::pow ? 0.9 : 0.01;
}

/// A small value of any layout, or now and then one that several threads share.
Type random_value(Random& random, Layout layout, DType dtype) {
  if (random.below(20) == 0) return random_image(random, layout, 0, false, dtype);
  const int64_t channels = layout == Layout::blocked16 ? 16 : pick(random, 1, 19);
  return {dtype, {pick(random, 0, 2), channels, pick(random, 1, 5)}};
}

/// Random values over the range where activations bend, and the special ones.
void fill_activation_input(Array& x, UnaryKind kind, Random& random) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < x.numel(); ++i) {
    double v = random.normal() * pick<double>(random, {0.01, 1, 4});
    if (kind == UnaryKind::log || kind == UnaryKind::sqrt) v = std::abs(v);
    if (random.below(40) == 0) v = pick<double>(random, {0, -0., 3, -3, 6, 20, -20, 1e-30});
    if (random.below(80) == 0) v = pick<double>(random, {std::nan(""), 88, -110, inf});
    x.set(i, v);
  }
}

TEST(Unary, EveryActivationEqualsItsReference) {
  Random random(1, "unary");
  for (int k = 0; k < unary_kinds; ++k) {
    const auto kind = static_cast<UnaryKind>(k);
    for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
      const Layout layout = pick(random, layouts);
      const Unary op{kind, parameter_of(kind)};
      const Type type = random_value(random, layout, value_dtypes[trial % 3]);
      const Problem problem = make_problem(op, {type}, layout);
      Array x(type.dtype, type.shape);
      fill_activation_input(x, kind, random);
      ASSERT_TRUE(check("simd", problem, {x}, bound_of(kind)));
    }
  }
}

TEST(Unary, EveryDerivativeEqualsItsReference) {
  Random random(2, "unary");
  for (int k = 0; k < unary_kinds; ++k) {
    const auto kind = static_cast<UnaryKind>(k);
    for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
      const Layout layout = pick(random, layouts);
      const UnaryBackward op{kind, parameter_of(kind)};
      const Type x = random_value(random, layout, value_dtypes[trial % 3]);
      const Problem problem = make_problem(op, {x, x}, layout);
      std::vector<Array> in = random_inputs(problem, random);
      fill_activation_input(in[0], kind, random);
      Bound bound = bound_of(kind);
      bound.nonfinite = NonFinite::either;  // an infinite dy meets a slope that underflows
      ASSERT_TRUE(check("simd", problem, in, bound));
    }
  }
}

TEST(Unary, ActivationsAreExactFarFromZeroToo) {  // a tail of 1e-38 times x of -1e38 is not 0
  const Type type{DType::f32, {2, 16, 1}};
  Array x(type.dtype, type.shape);
  const double far[] = {9, 20, 40, 86, 87.5, 90, 1e4, 3e38};
  for (int64_t i = 0; i < x.numel(); ++i)
    x.set(i, (i % 2 == 0 ? 1 : -1) * far[static_cast<size_t>(i / 2) % 8]);
  const Array dy = Array::full(DType::f32, x.shape(), 1);
  for (const UnaryKind kind : {UnaryKind::silu, UnaryKind::sigmoid, UnaryKind::gelu}) {
    EXPECT_TRUE(check("simd", make_problem(Unary{kind, 0}, {type}), {x}, bound_of(kind)));
    const Problem slope = make_problem(UnaryBackward{kind, 0}, {type, type});
    EXPECT_TRUE(check("simd", slope, {x, dy}, bound_of(kind)));
  }
}

TEST(Binary, ArithmeticIsRoundedOnce) {
  Random random(3, "binary");
  for (int trial = 0; trial < 8 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const auto kind = static_cast<BinaryKind>(trial / 2 % 6);
    const Type x = random_value(random, layout, value_dtypes[trial % 3]);
    const Problem problem = make_problem(Binary{kind}, {x, x}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {0.51}));
  }
}

TEST(Affine, IsWithinTwoRoundings) {
  Random random(4, "affine");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_value(random, layout, value_dtypes[trial % 3]);
    const Problem problem = make_problem(Affine{random.normal(), random.normal()}, {x}, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {4, Scale::output}));
  }
}

TEST(BinaryCrossEntropy, KeepsItsDigitsFromNearToFar) {
  Random random(7, "binary_cross_entropy");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_value(random, layout, value_dtypes[trial % 3]);
    const Problem problem = make_problem(BinaryCrossEntropy{}, {x, x}, layout);
    std::vector<Array> in = random_inputs(problem, random);
    for (int64_t i = 0; i < x.numel(); ++i) {
      in[0].set(i, in[0].at(i) * pick<double>(random, {0.01, 1, 30, 200}));
      in[1].set(i, random.below(2) == 0 ? random.uniform() : pick<double>(random, {0, 1}));
    }
    ASSERT_TRUE(check("simd", problem, in, {8, Scale::element}));
  }
}

TEST(Increment, CountsFromAnyNumber) {
  const Problem problem = make_problem(Increment{}, {{DType::i64, {}}});
  Array x(DType::i64, {});
  for (double value : {0.0, 41.0, -1.0, 5e9}) {
    x.set(0, value);
    EXPECT_TRUE(check("simd", problem, {x}, {}));
  }
}

TEST(NormalizeImages, IsTheFormulaRoundedOnce) {
  Random random(6, "images");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const int64_t channels = pick(random, 1, 4);
    NormalizeImages op;
    op.out = value_dtypes[trial % 3];
    for (int64_t c = 0; c < channels; ++c) {
      op.mean.push_back(static_cast<float>(random.uniform()));
      op.std.push_back(static_cast<float>(0.1 + random.uniform()));
    }
    const Type x{DType::u8,
                 {pick(random, 0, 4), pick(random, 1, 40), pick(random, 1, 40), channels}};
    Problem problem = make_problem(op, {x});
    if (random.below(2) == 0) problem.out[0].layout = Layout::channels_last;
    Array images(DType::u8, x.shape);
    for (uint8_t& v : images.data<uint8_t>()) v = static_cast<uint8_t>(random.below(256));
    ASSERT_TRUE(check("simd", problem, {images}, {0.51}));
  }
}

TEST(Elementwise, OtherTypesAreRefusedInAFewWords) {
  const Type x{DType::f64, {2, 3, 4}};
  EXPECT_EQ(refusal("simd", make_problem(Unary{}, {x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(UnaryBackward{}, {x, x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(Binary{}, {x, x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(Affine{}, {x})), "only f32, bf16 or f16");
  const Type narrow{DType::bf16, {2, 3, 4}}, wide_type{DType::f32, {2, 3, 4}};
  EXPECT_EQ(refusal("simd", make_problem(UnaryBackward{}, {narrow, wide_type})),
            "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(BinaryCrossEntropy{}, {x, x})), "only f32, bf16 or f16");
  EXPECT_EQ(refusal("simd", make_problem(NormalizeImages{{0}, {1}, 255, DType::f64},
                                         {{DType::u8, {1, 2, 2, 1}}})),
            "only to f32, bf16 and f16");
}

}  // namespace
}  // namespace fovea::kernel_test
