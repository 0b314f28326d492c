#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "fovea/core/array.h"
#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"

namespace fovea {
namespace {

TEST(Shape, ProductsThatOverflowAreErrors) {
  const int64_t big = int64_t{1} << 32;
  EXPECT_THROW((void)(Shape{big, big}.numel()), Error);
  EXPECT_EQ((Shape{big, big, 0}.numel()), 0);  // an empty batch of anything is empty
  EXPECT_EQ(Shape{}.numel(), 1);
  try {
    Shape{1, -2};
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "dimension 1 of a shape is -2, below 0");
  }
}

TEST(Array, BuffersAreAlignedAndHandlesShare) {
  Array a = Array::zeros(DType::f32, {3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.raw()) % 64, 0u);
  Array b = a;
  b.data<float>()[7] = 2;
  EXPECT_EQ(a.at(7), 2);
  Array c = a.clone();
  c.set(7, 9);
  EXPECT_EQ(a.at(7), 2);
  EXPECT_THROW(a.data<double>(), Error);
  EXPECT_THROW((void)a.item(), Error);
  EXPECT_THROW((void)a.reshaped({4, 4}), Error);
}

TEST(DType, Bf16RoundsToNearestEvenAndReadsBackExactly) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Bf16 value;
    value.bits = static_cast<uint16_t>(bits);
    const float exact = value;
    if (std::isnan(exact)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(exact)))) << bits;
      continue;
    }
    ASSERT_EQ(Bf16(exact).bits, bits);
    if (std::isinf(exact)) continue;
    Bf16 next;
    next.bits = static_cast<uint16_t>(bits + 1);  // the next one away from zero
    const auto between = [&](uint32_t low) {
      return Bf16(std::bit_cast<float>(bits << 16 | low)).bits;
    };
    ASSERT_EQ(between(0x7fff), bits);
    ASSERT_EQ(between(0x8000), bits % 2 == 0 ? bits : next.bits);
    ASSERT_EQ(between(0x8001), next.bits);
  }
  EXPECT_TRUE(std::isnan(static_cast<float>(Bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Array, HalfTypesRoundToNearestEven) {
  Array a = Array::full(DType::bf16, {1}, 1.00390625);  // halfway between 1 and 1.0078125
  EXPECT_EQ(a.at(0), 1.0);
  EXPECT_EQ(Array::full(DType::f16, {1}, 65504).at(0), 65504);
  EXPECT_TRUE(
      std::isnan(Array::full(DType::bf16, {1}, std::numeric_limits<double>::quiet_NaN()).at(0)));
}

TEST(Error, DetailsAreAligned) {
  const Error e = Error(ErrorKind::usage, "conv2d: input has 4 channels, weight expects 3")
                      .with("input", "f32[N=8]")
                      .with("try", "--channels 3");
  EXPECT_STREQ(
      e.what(),
      "conv2d: input has 4 channels, weight expects 3\n  input   f32[N=8]\n  try     --channels 3");
  EXPECT_EQ(e.exit_code(), 2);
}

TEST(Parallel, EveryIndexOnceAndExceptionsPropagate) {
  std::vector<int> seen(1000, 0);
  parallel_for(1000, 7, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  for (int n : seen) EXPECT_EQ(n, 1);
  EXPECT_THROW(parallel_for(10, 1, [](int64_t, int64_t) { throw Error(ErrorKind::data, "x"); }),
               Error);
}

TEST(Random, PhiloxMatchesItsPublishedVectors) {
  // Known-answer vectors of Random123 for philox4x32-10.
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, StreamsAreIndependentAndUniform) {
  std::set<uint64_t> first;
  for (uint64_t i = 0; i < 100; ++i) first.insert(Random(1, "shuffle", i).bits64());
  EXPECT_EQ(first.size(), 100u);
  EXPECT_NE(Random(1, "a").bits64(), Random(1, "b").bits64());
  Random r(3, "t");
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double z = r.normal();
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / n, 0, 0.015);
  EXPECT_NEAR(squares / n, 1, 0.02);
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) ++counts[r.below(3)];
  for (int c : counts) EXPECT_NEAR(c, 10000, 300);
}

}  // namespace
}  // namespace fovea
