#include "fovea/ops/arithmetic.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// `full` with some axes of size 1, and (unless `rank_stays`) some leading ones missing.
Shape shrunk(Random& random, const Shape& full, bool rank_stays = false) {
  Shape shape = rank_stays ? full : full.slice(static_cast<int>(pick(random, 0, full.rank())));
  for (int i = 0; i < shape.rank(); ++i) {
    if (random.below(2) == 0) shape.set(i, 1);
  }
  return shape;
}

BinaryKind random_kind(Random& random) {
  return pick(random, std::vector{BinaryKind::add, BinaryKind::sub, BinaryKind::mul,
                                  BinaryKind::div, BinaryKind::maximum, BinaryKind::minimum});
}

Shape random_shape(Random& random) {
  Shape full;
  for (int64_t rank = pick(random, 1, 5); rank > 0; --rank)
    full = full.concat({pick(random, std::vector<int64_t>{0, 1, 2, 3, 5, 17, 40})});
  return full;
}

/// A value that broadcasts to x: in its layout if possible, else plain.
Type operand(Random& random, const Type& x, Layout layout) {
  Type type{x.dtype, shrunk(random, x.shape, random.below(3) != 0)};
  const bool fits = layout != Layout::blocked16 || type.dim(1) % 16 == 0;
  if (type.rank() == x.rank() && fits && random.below(4) != 0) type.layout = layout;
  return type;
}

Type random_large(Random& random, Layout layout, DType dtype) {
  Type x = random_image(random, layout, 0, false, dtype);
  x.layout = layout;
  return x;
}

TEST(Broadcast, ArithmeticEqualsItsReferenceForEveryBroadcast) {
  Random random(31, "broadcast");
  for (int trial = 0; trial < 8 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Shape full = random_shape(random);
    const Shape a = shrunk(random, full), b = shrunk(random, full);
    const BroadcastBinary op{random_kind(random)};
    const Problem binary = make_problem(op, {{dtype, a}, {dtype, b}});
    ASSERT_TRUE(check("simd", binary, random_inputs(binary, random), {1, Scale::element}));
  }
}

// The channel gates of squeeze-and-excitation, a map over pixels, one number per channel.
TEST(Broadcast, ArithmeticEqualsItsReferenceInEveryLayout) {
  Random random(32, "broadcast");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Layout layout = pick(random, layouts);
    const Type x = random_large(random, layout, dtype);
    Types in{x, operand(random, x, layout)};
    if (random.below(2) == 0) std::swap(in[0], in[1]);
    const Problem problem{BroadcastBinary{random_kind(random)}, in, {x}};
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {1, Scale::element}));
  }
}

TEST(MultiplyAdd, EqualsItsReferenceInEveryLayout) {
  Random random(36, "multiply_add");
  const Bound bound{16, Scale::unit};  // products of normal numbers, which may cancel
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Layout layout = pick(random, layouts);
    const Shape full = random_shape(random);
    const Problem plain =
        make_problem(MultiplyAdd{},
                     {{dtype, full}, {dtype, shrunk(random, full)}, {dtype, shrunk(random, full)}});
    ASSERT_TRUE(check("simd", plain, random_inputs(plain, random), bound));
    const Type x = random_large(random, layout, dtype);
    const Problem problem{
        MultiplyAdd{}, {x, operand(random, x, layout), operand(random, x, layout)}, {x}};
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), bound));
  }
}

TEST(Broadcast, RepeatingIsExact) {
  Random random(33, "broadcast");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Layout layout = pick(random, layouts);
    const Shape full = random_shape(random);
    const Problem plain = make_problem(BroadcastTo{full}, {{dtype, shrunk(random, full)}});
    ASSERT_TRUE(check("simd", plain, random_inputs(plain, random), {}));
    const Type y = random_large(random, layout, dtype);
    const Problem problem{BroadcastTo{y.shape}, {operand(random, y, layout)}, {y}};
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(SumTo, SumsAnyAxes) {
  Random random(34, "sum_to");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    Shape x = random_shape(random);
    if (trial % 40 < 2) x = {3, 2, 70, 40};
    const bool crossed = trial % 40 / 2 == 1;
    if (crossed) x = {5, 3, 4, 7, 3};
    Shape y = shrunk(random, x);
    if (crossed) y = {1, 3, 1, 7, 1};  // more groups of axes than are summed at once
    const Problem problem = make_problem(SumTo{y}, {{dtype, x}});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {16, Scale::absolute}));
  }
}

TEST(SumOfProducts, SumsAnyAxesInEveryLayout) {
  Random random(37, "sum_of_products");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Type any{dtype, random_shape(random)};
    const Problem plain = make_problem(SumOfProducts{shrunk(random, any.shape)}, {any, any});
    ASSERT_TRUE(check("simd", plain, random_inputs(plain, random), {16, Scale::absolute}));
    const Type x = random_large(random, pick(random, layouts), dtype);
    Shape gate{x.dim(0), x.dim(1)};  // of squeeze-and-excitation
    while (gate.rank() < x.rank()) gate = gate.concat({1});
    const Problem problem{SumOfProducts{gate}, {x, x}, {{dtype, gate}}};
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {16, Scale::absolute}));
  }
  const Type x{DType::f32, {2, 4, 3, 5}};
  Problem mixed = make_problem(SumOfProducts{}, {x, x});
  mixed.in[0].layout = Layout::channels_last;
  EXPECT_EQ(refusal("simd", mixed), "factors in different layouts");
}

TEST(SumTo, SumsValuesInEveryLayout) {
  Random random(35, "sum_to");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const DType dtype = value_dtypes[trial % 3];
    const Layout layout = pick(random, layouts);
    const Type x = random_large(random, layout, dtype);
    const Type y =
        pick<Type>(random, {operand(random, x, layout), {dtype, {x.dim(1)}}, {dtype, {}}});
    const Problem problem{SumTo{y.shape}, {x}, {y}};
    try {
      (void)problem.op.infer({{x.dtype, x.shape}});
    } catch (const std::exception&) {
      continue;  // a vector that is not of the last axis
    }
    if (refusal("simd", problem)) {  // several axes, in the order of another layout
      EXPECT_TRUE(y.layout != layout) << describe(problem);
      continue;
    }
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {16, Scale::absolute}));
  }
  Problem crossed = make_problem(SumTo{{4, 3, 5}}, {{DType::f32, {2, 4, 3, 5}}});
  crossed.in[0].layout = Layout::channels_last;
  EXPECT_EQ(refusal("simd", crossed), "only sums in the memory order of their input");
}

}  // namespace
}  // namespace fovea::kernel_test
