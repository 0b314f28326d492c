#include <bit>
#include <cmath>

#include "fovea/ops/flip.h"
#include "fovea/ops/reorder.h"
#include "fovea/ops/roll.h"
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
  return pick<DType>(random,
                     {DType::f32, DType::bf16, DType::f64, DType::i64, DType::u8, DType::f16});
}

TEST(Moves, ReshapeKeepsEveryElement) {
  Random random(1, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int64_t last = trial % 20 == 0 ? 400 : 5;  // now and then enough for several threads
    const Type x{random_dtype(random), random_shape(random, 3).concat({last})};
    const Problem problem = make_problem(Reshape{{x.numel()}}, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, PermuteTakesAnyOrderOfAxes) {
  Random random(2, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int rank = static_cast<int>(pick(random, 0, 6));
    std::vector<int> axes;
    for (int i = 0; i < rank; ++i) axes.insert(axes.begin() + pick(random, 0, i), i);
    Type x{random_dtype(random), random_shape(random, rank)};
    if (trial % 10 == 0 && rank >= 2) {  // longer than a tile
      for (int i = 0; i < rank; ++i) x.shape.set(i, 2);
      x.shape.set(axes[0], 530);
      x.shape.set(rank - 1, 37);
    }
    const Problem problem = make_problem(Permute{axes}, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, PermuteTakesAndGivesAnyLayout) {
  Random random(12, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int rank = static_cast<int>(pick(random, 3, 5));
    std::vector<int> axes;
    for (int i = 0; i < rank; ++i) axes.insert(axes.begin() + pick(random, 0, i), i);
    Type x{random_dtype(random), random_shape(random, rank)};
    x.shape.set(1, 16 * pick(random, 1, 3));
    x.shape.set(axes[1], 16 * pick(random, 1, 3));
    Problem problem = make_problem(Permute{axes}, {x}, layouts[static_cast<size_t>(trial % 3)]);
    problem.out[0].layout = layouts[static_cast<size_t>(trial / 3 % 3)];
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, ChannelsMoveToTheLastAxisAndBackWithoutAReorder) {
  const auto is_view = [](const Type& x, const Type& y, const std::vector<int>& axes) {
    return fovea::is_view(Permute{axes}, {x}, {y});
  };
  const Type image{DType::f32, {2, 32, 5, 6}, Layout::blocked16};
  const Type rows{DType::f32, {2, 5, 6, 32}};
  const auto last = priced_layouts(Problem{Permute{{0, 2, 3, 1}}, {image}, {rows}});
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].layouts.in[0], Layout::blocked16);
  EXPECT_EQ(last[0].layouts.out[0], Layout::plain);
  const auto first = priced_layouts(Problem{Permute{{0, 3, 1, 2}}, {rows}, {image}});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].layouts.in[0], Layout::plain);
  EXPECT_EQ(first[0].layouts.out[0], Layout::channels_last);
  Type last_image = image;
  last_image.layout = Layout::channels_last;
  EXPECT_TRUE(is_view(last_image, rows, {0, 2, 3, 1}));
  EXPECT_TRUE(is_view(rows, last_image, {0, 3, 1, 2}));
  EXPECT_FALSE(is_view(image, rows, {0, 2, 3, 1}));
  EXPECT_FALSE(is_view(rows, last_image, {0, 2, 3, 1}));
  EXPECT_TRUE(priced_layouts(Problem{Permute{{0, 2, 1, 3}}, {rows}, {rows}}).empty());
}

TEST(Moves, FlipReversesAnyAxes) {
  Random random(11, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int rank = static_cast<int>(pick(random, 1, 5));
    Type x{random_dtype(random), random_shape(random, rank)};
    if (trial % 10 == 0) x.shape.set(rank - 1, 530);  // longer than a tile
    std::vector<int> axes;
    for (int axis = 0; axis < rank; ++axis) {
      if (random.below(2) == 0) axes.push_back(axis);
    }
    const Problem problem = make_problem(Flip{axes}, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, ReorderTakesAnyLayoutToAnyOther) {
  Random random(3, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Layout from = layouts[static_cast<size_t>(trial % 3)];
    const Layout to = layouts[static_cast<size_t>(trial / 3 % 3)];
    const bool blocked = from == Layout::blocked16 || to == Layout::blocked16;
    Type x = random_image(random, blocked ? Layout::blocked16 : Layout::plain);
    x.dtype = random_dtype(random);
    Problem problem = make_problem(Reorder{}, {x}, from);
    problem.out[0].layout = to;
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, ConcatJoinsAlongAnyAxis) {
  Random random(4, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int rank = static_cast<int>(pick(random, 1, 5));
    const int axis = static_cast<int>(pick(random, 0, rank - 1));
    Types in(static_cast<size_t>(pick(random, 1, 4)),
             {random_dtype(random), random_shape(random, rank)});
    for (Type& type : in) type.shape.set(axis, pick(random, 0, 20));
    const Problem problem = make_problem(Concat{axis}, in);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, ConcatJoinsValuesInEveryLayout) {
  Random random(5, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    Types in(static_cast<size_t>(pick(random, 1, 4)), random_image(random, layout));
    const int axis = trial % 2 == 0 ? 1 : static_cast<int>(pick(random, 0, in[0].rank() - 1));
    for (Type& type : in)
      type.shape.set(axis,
                     pick(random, 0, 3) * (axis == 1 && layout == Layout::blocked16 ? 16 : 1));
    const Problem problem = make_problem(Concat{axis}, in, layout);
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Moves, SliceTakesAndItsGradientPutsBack) {
  Random random(6, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
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

// A group of channels need not begin with a block of 16.
TEST(Moves, SliceTakesFromValuesInEveryLayout) {
  Random random(7, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Layout layout = pick(random, layouts);
    const Type x = random_image(random, layout);
    const int axis = trial % 2 == 0 ? 1 : static_cast<int>(pick(random, 0, x.rank() - 1));
    int64_t begin = pick(random, 0, x.dim(axis)), end = pick(random, begin, x.dim(axis));
    if (axis == 1 && layout == Layout::blocked16) {
      end = pick(random, 0, x.dim(1) / 16) * 16;
      begin = pick(random, 0, x.dim(1) - end);
      if (trial % 3 == 0) begin = begin / 16 * 16;
      end += begin;
    }
    const Problem forward = make_problem(Slice{axis, begin, end}, {x}, layout);
    ASSERT_TRUE(check("simd", forward, random_inputs(forward, random), {}));
    Types dy = forward.out;
    dy[0].layout = Layout::plain;
    const Problem backward = make_problem(SliceBackward{axis, begin, x.dim(axis)}, dy, layout);
    ASSERT_TRUE(check("simd", backward, random_inputs(backward, random), {}));
  }
}

TEST(Moves, RollShiftsAlongAnyAxis) {
  Random random(11, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int rank = static_cast<int>(pick(random, 1, 5));
    Type x{random_dtype(random), random_shape(random, rank)};
    if (trial % 20 == 0) x.shape.set(rank - 1, 3000);  // enough for several threads
    const Roll op{static_cast<int>(pick(random, 0, rank - 1)), pick(random, -20, 20)};
    const Problem problem = make_problem(op, {x});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Cast, ToFloatsRoundsOnce) {
  Random random(8, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const DType from = pick<DType>(
        random, {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i64, DType::u8});
    const Cast op{pick<DType>(random, {DType::f32, DType::f64, DType::bf16, DType::f16})};
    const Problem problem = make_problem(op, {{from, random_shape(random, 4)}});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {0.51}));
  }
}

/// The bits that a cast of `in` gives with each instruction set are those of Array::astype.
template <class T>
void expect_nearest(const Array& in, const Problem& problem) {
  const Array expected = in.astype(problem.out[0].dtype);
  for_each_instruction_set([&](std::string_view set) {
    const KernelChoice choice = choose_kernel(problem);
    ASSERT_EQ(choice.name, "simd");
    Array out(expected.dtype(), expected.shape());
    const std::byte* inputs[] = {in.raw()};
    std::byte* outputs[] = {out.raw()};
    choice.kernel->run({inputs, outputs, nullptr, nullptr});
    for (int64_t i = 0; i < out.numel(); ++i) {
      const auto at = static_cast<size_t>(i);
      if (std::isnan(expected.at(i)) && std::isnan(out.at(i))) continue;
      ASSERT_EQ(out.data<T>()[at].bits, expected.data<T>()[at].bits) << set << ", " << in.at(i);
    }
  });
}

TEST(Cast, To16BitsIsTheNearestTiesToEven) {
  const int64_t n = 2100;  // enough for several threads, and a partial vector
  Random random(10, "moves");
  for (int trial = 0; trial < 40; ++trial) {
    const bool half = trial % 2 == 0;
    const Problem problem =
        make_problem(Cast{half ? DType::f16 : DType::bf16}, {{DType::f32, {n + trial}}});
    Array in(DType::f32, problem.in[0].shape);
    for (float& v : in.data<float>()) {
      auto bits = static_cast<uint32_t>(random.below(uint64_t{1} << 32));
      if (half && random.below(4) != 0)  // in the range of f16: denormals to infinity
        bits = (bits & 0x807fffffu) | static_cast<uint32_t>(100 + random.below(45)) << 23;
      const uint32_t dropped = half ? 0x1fffu : 0xffffu;
      if (random.below(3) == 0) bits = (bits & ~dropped) | (dropped + 1) / 2;  // halfway
      v = std::bit_cast<float>(bits);
    }
    half ? expect_nearest<F16>(in, problem) : expect_nearest<Bf16>(in, problem);
  }
}

TEST(Cast, ToIntegersTruncates) {
  Random random(9, "moves");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const DType from = pick<DType>(random, {DType::f32, DType::f64, DType::i64, DType::u8});
    const DType to = pick<DType>(random, {DType::i64, DType::i32, DType::u8});
    const Problem problem = make_problem(Cast{to}, {{from, random_shape(random, 4)}});
    std::vector<Array> in = random_inputs(problem, random);
    const double least = to == DType::u8 ? 0 : -100;
    for (int64_t i = 0; i < in[0].numel() && is_float(from); ++i)
      in[0].set(i, least + (200 - least) * random.uniform());
    ASSERT_TRUE(check("simd", problem, in, {}));
  }
  EXPECT_EQ(refusal("simd", make_problem(Cast{DType::i8}, {{DType::f32, {3}}})),
            "only f32, f64, bf16, f16, i64, i32 and u8");
}

}  // namespace
}  // namespace fovea::kernel_test
