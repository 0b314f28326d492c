#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

Shape random_shape(Random& random, int rank) {
  Shape shape;
  for (int a = 0; a < rank; ++a)
    shape = shape.concat({random.below(12) == 0 ? 0 : pick(random, 1, 9)});
  return shape;
}

DType random_dtype(Random& random) {
  return pick<DType>(random, {DType::f32, DType::f64, DType::i64, DType::u8});
}

TEST(Copies, ReshapeKeepsEveryElement) {
  Random random(1, "copies");
  for (int trial = 0; trial < 100; ++trial) {
    const Type x{random_dtype(random), random_shape(random, 3).concat({64})};
    const Problem problem = make_problem(Reshape{{x.numel()}}, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Copies, ConcatJoinsAlongAnyAxis) {
  Random random(2, "copies");
  for (int trial = 0; trial < 100; ++trial) {
    const int rank = static_cast<int>(pick(random, 1, 5));
    const int axis = static_cast<int>(pick(random, 0, rank - 1));
    Types in(static_cast<size_t>(pick(random, 1, 4)),
             {random_dtype(random), random_shape(random, rank)});
    for (Type& type : in) type.shape.set(axis, pick(random, 0, 20));
    const Problem problem = make_problem(Concat{axis}, in);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Copies, SliceTakesAndItsGradientPutsBack) {
  Random random(3, "copies");
  for (int trial = 0; trial < 100; ++trial) {
    const int rank = static_cast<int>(pick(random, 1, 5));
    const int axis = static_cast<int>(pick(random, 0, rank - 1));
    const Type x{random_dtype(random), random_shape(random, rank)};
    const int64_t begin = pick(random, 0, x.dim(axis)), end = pick(random, begin, x.dim(axis));
    const Problem forward = make_problem(Slice{axis, begin, end}, {x});
    ASSERT_TRUE(check("simd", forward, random_inputs(forward, random), {}));
    const Problem backward = make_problem(SliceBackward{axis, begin, x.dim(axis)}, forward.out);
    ASSERT_TRUE(check("simd", backward, random_inputs(backward, random), {}));
  }
}

TEST(Copies, CastsToFloatsRoundOnce) {
  Random random(4, "copies");
  for (int trial = 0; trial < 100; ++trial) {
    const Type x{random_dtype(random), random_shape(random, 4)};
    const Cast op{pick<DType>(random, {DType::f32, DType::f64})};
    const Problem problem = make_problem(op, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {0.51}));
  }
  EXPECT_EQ(refusal("simd", make_problem(Cast{DType::i64}, {{DType::f32, {3}}})),
            "only casts to f32 and f64");
}

TEST(SumTo, SumsLeadingAndTrailingAxes) {
  Random random(5, "sum_to");
  for (int trial = 0; trial < 150; ++trial) {
    Shape x{pick(random, 0, 90), pick(random, 1, 40)};
    if (trial % 3 != 0) x = x.concat(random_shape(random, 2));
    if (trial % 30 == 0) x = {3, 2, 70, 40};
    const Shape y = pick<Shape>(random, {{},
                                         {x[-1]},
                                         {x[1]},
                                         Shape{x[1]}.concat(x.slice(2)),
                                         {1, x[1], 1, 1},
                                         Shape{1}.concat(x.slice(1)),
                                         x});
    Problem problem{SumTo{y}, {{DType::f32, x}}, {{DType::f32, y}}};
    try {
      (void)problem.op.infer(problem.in);
    } catch (const std::exception&) {
      continue;
    }
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {16, Scale::absolute}));
  }
  EXPECT_EQ(refusal("simd", make_problem(SumTo{{2, 1, 4}}, {{DType::f32, {2, 3, 4}}})),
            "only sums over leading and trailing axes");
}

}  // namespace
}  // namespace fovea::kernel_test
