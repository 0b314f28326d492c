#include "fovea/kernels/parts.h"

#include <gtest/gtest.h>

#include "fovea/core/parallel.h"
#include "fovea/kernels/deterministic.h"
#include "fovea/ops/linear.h"

namespace fovea {
namespace {

/// y = a' b of float matrices, by loops.
class Product final : public Kernel {
 public:
  explicit Product(const Problem& p)
      : transpose_(p.op.get<MatMul>().transpose_a), a_(p.in[0].shape), b_(p.in[1].shape) {}
  void run(const Args& args) const override {
    const int64_t rows = a_[transpose_ ? 1 : 0], inner = b_[0], columns = b_[1];
    const auto *a = args.input<float>(0), *b = args.input<float>(1);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (int64_t k = 0; k < inner; ++k)
          sum += a[transpose_ ? k * rows + i : i * inner + k] * b[k * columns + j];
        args.output<float>(0)[i * columns + j] = sum;
      }
    }
  }

 private:
  bool transpose_;
  Shape a_, b_;
};

/// The product of matrices of ones by parts; counts the rows of a's first axis in each part.
std::vector<float> multiply(bool transpose_a, int64_t rows, int threads, int64_t& part_rows) {
  const int64_t inner = 512, columns = 512;
  const Types in{{DType::f32, transpose_a ? Shape{rows, inner} : Shape{rows, inner}},
                 {DType::f32, transpose_a ? Shape{rows, columns} : Shape{inner, columns}}};
  const Op op = MatMul{.transpose_a = transpose_a};
  const Problem problem{op, in, op.infer(in), threads};
  Offer offer = in_parts(problem, {.in = {true, transpose_a}, .sum = transpose_a},
                         [&](const Problem& part) -> Offer {
                           part_rows = part.in[0].dim(0);
                           return std::make_unique<Product>(part);
                         });
  const auto& kernel = std::get<std::unique_ptr<Kernel>>(offer);
  const Array a = Array::full(DType::f32, in[0].shape, 1),
              b = Array::full(DType::f32, in[1].shape, 2);
  Array y(DType::f32, problem.out[0].shape);
  const std::shared_ptr<std::byte> scratch = allocate(kernel->scratch_bytes());
  const std::byte* inputs[] = {a.raw(), b.raw()};
  std::byte* outputs[] = {y.raw()};
  const TeamScope team(threads);
  kernel->run({inputs, outputs, scratch.get(), nullptr});
  return {y.data<float>().begin(), y.data<float>().end()};
}

TEST(Parts, ABatchIsDividedEquallyAmongMorePartsThanThreads) {
  int64_t rows = 0;
  EXPECT_EQ(multiply(false, 256, 2, rows), std::vector<float>(256 * 512, 1024));
  EXPECT_EQ(rows, 16);
  EXPECT_EQ(multiply(false, 90, 2, rows), std::vector<float>(90 * 512, 1024));
  EXPECT_EQ(rows, 18);  // five parts: a divisor of 90
  EXPECT_EQ(multiply(false, 97, 2, rows), std::vector<float>(97 * 512, 1024));
  EXPECT_EQ(rows, 1);  // a prime
}

TEST(Parts, AGradientOfWeightsIsTheSumOfItsParts) {
  int64_t rows = 0;
  EXPECT_EQ(multiply(true, 256, 2, rows), std::vector<float>(512 * 512, 512));
  EXPECT_EQ(rows, 16);
  // The memory of the partial sums must not grow with a batch that has no divisors.
  EXPECT_EQ(multiply(true, 97, 2, rows), std::vector<float>(512 * 512, 194));
  EXPECT_EQ(rows, 12);  // five parts of 17 and one of 12
}

TEST(Parts, FewImagesAndSmallProblemsAreNotDivided) {
  int64_t rows = 0;
  multiply(false, 3, 2, rows);
  EXPECT_EQ(rows, 3);
  EXPECT_TRUE(multiply(false, 0, 2, rows).empty());
  multiply(false, 256, 1, rows);
  EXPECT_EQ(rows, 256);
}

TEST(Parts, AllThreadsShareOneLargeImage) {
  const Types in{{DType::f32, {1, 4096}}, {DType::f32, {4096, 4096}}};
  int threads = 0;
  in_parts({MatMul{}, in, MatMul{}.infer(in), 2}, {.in = {true, false}},
           [&](const Problem& part) -> Offer {
             threads = part.threads;
             return Refusal{"only looked at"};
           });
  EXPECT_EQ(threads, 2);
}

TEST(Parts, DeterministicOnesDoNotDependOnTheThreads) {
  const DeterministicScope scope(true);
  for (const bool transpose_a : {false, true}) {
    for (const int64_t size : {256, 97, 3}) {
      int64_t one = 0, rows = 0;
      const std::vector<float> expected = multiply(transpose_a, size, 1, one);
      for (const int threads : {2, 3, 8}) {
        EXPECT_EQ(multiply(transpose_a, size, threads, rows), expected);
        EXPECT_EQ(rows, one) << size << " rows, " << threads << " threads";
      }
    }
  }
}

TEST(Parts, AProblemThatCannotBeDividedIsComputedByOneThreadIfDeterministic) {
  const Types in{{DType::f32, {64, 64}}, {DType::f32, {64, 64}}};
  const Op op = MatMul{};
  int threads = 0;
  const auto make = [&](const Problem& part) -> Offer {
    threads = part.threads;
    return std::make_unique<Product>(part);
  };
  (void)in_parts({op, in, op.infer(in), 2}, {.in = {false, false}}, make);
  EXPECT_EQ(threads, 2);
  const DeterministicScope scope(true);
  (void)in_parts({op, in, op.infer(in), 2}, {.in = {false, false}}, make);
  EXPECT_EQ(threads, 1);
}

}  // namespace
}  // namespace fovea
