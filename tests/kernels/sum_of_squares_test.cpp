#include <cmath>
#include <limits>

#include "fovea/core/parallel.h"
#include "fovea/ops/reduce.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// The result of the kernel with the current team and instruction set.
double sum_of(const Array& x) {
  const Problem problem = make_problem(SumOfSquares{}, {{x.dtype(), x.shape()}});
  const KernelChoice choice = choose_kernel(problem);
  EXPECT_EQ(choice.name, "simd");
  const auto scratch = allocate(choice.kernel->scratch_bytes());
  Array y(DType::f64, {});
  const std::byte* in = x.raw();
  std::byte* out = y.raw();
  choice.kernel->run({.in = {&in, 1}, .out = {&out, 1}, .scratch = scratch.get()});
  return y.item();
}

TEST(SumOfSquares, IsExactToDoubleAndTheSameOnAnyTeam) {
  for (int64_t n : {0, 1, 31, 1000, 200001}) {
    Random random(1, "squares");
    Array x(DType::f32, {n});
    for (float& v : x.data<float>()) v = static_cast<float>(random.normal());
    double expected = 0;
    for (const float v : x.data<float>()) expected += static_cast<double>(v) * v;
    EXPECT_NEAR(sum_of(x.astype(DType::f64)), expected, 1e-10 * expected);
    for_each_instruction_set([&](std::string_view set) {
      set_threads(1);
      const double one = sum_of(x);
      EXPECT_NEAR(one, expected, 1e-10 * expected) << set;
      for (int team : {2, 3}) {
        set_threads(team);
        EXPECT_EQ(sum_of(x), one) << set;
      }
    });
    set_threads(available_threads());
  }
}

TEST(SumOfSquares, HandlesLargeAndNonFiniteNumbers) {
  // Beyond f32 once squared: a huge gradient is still finite.
  EXPECT_NEAR(sum_of(Array::full(DType::f32, {2}, 1e30)), 2e60, 1e54);
  Array x = Array::full(DType::f32, {40}, 1);
  x.set(33, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(sum_of(x)));
}

}  // namespace
}  // namespace fovea::kernel_test
