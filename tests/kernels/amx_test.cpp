#include <algorithm>
#include <cmath>
#include <limits>

#include "fovea/kernels/amx/tiles.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/rules.h"
#include "fovea/kernels/tuning.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"
#include "kernels/convolutions.h"

namespace fovea::kernel_test {
namespace {

/// f32 products by tiles are as accurate as f32's own: their error stays within the same bounds.
class Amx : public testing::Test {
 protected:
  void SetUp() override {
    if (!amx::available()) GTEST_SKIP() << "this CPU has no AMX, or kernels are limited to others";
  }
};

TEST_F(Amx, ConvolutionsEqualTheirReferenceForAnyGeometryLayoutAndEpilogue) {
  Random random(1, "convolutions");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const FixedWeightsScope fixed(trial % 2 == 0);
    const Problem problem = random_convolution(random, trial % 4 == 0 ? 1 : 2, {.blocks = true});
    if (refusal("amx", problem)) continue;
    const int64_t products = problem.in[1].numel() / problem.in[1].dim(0);
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random), bound_of_sums(products)));
  }
}

TEST_F(Amx, GradientsEqualTheirReferenceForAnyStrideAndLayout) {
  Random random(1, "gradients");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const bool weights = trial % 2 == 0;
    const Problem problem =
        random_gradient(random, trial % 4 == 0 ? 1 : 2, weights, {.blocks = true});
    if (refusal("amx", problem)) continue;
    const int64_t products = weights ? problem.in[1].numel() / problem.in[1].dim(1)
                                     : problem.in[0].numel() / problem.in[0].dim(1);
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random), bound_of_sums(products)));
  }
}

/// Here steps at the ends of rows and images cancel: the first and the last of 16 positions are as
/// far apart as 16 adjacent ones are, but those between them are elsewhere.
TEST_F(Amx, GradientsOfStridedConvolutionsAreWrittenWhereTheyBelong) {
  Random random(1, "strides");
  const auto check_gradient = [&](const Shape& weight, const ConvGeometry& g, const Shape& dy,
                                  const Shape& x, Layout layout) {
    const ConvBackwardData op{g, x};
    const Problem problem{
        op, {{DType::f32, weight}, {DType::f32, dy, layout}}, {{DType::f32, x, layout}}};
    ASSERT_EQ(refusal("amx", problem), std::nullopt);
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random),
                      bound_of_sums(weight.numel() / weight[1])));
  };
  for (const Layout layout : {Layout::blocked16, Layout::channels_last}) {
    check_gradient({32, 32, 1, 1}, {{1, 2}, {1, 1}, {0, 4}, {0, 4}, 1}, {11, 32, 3, 5},
                   {11, 32, 3, 1}, layout);
    check_gradient({32, 32, 3, 3}, {{2, 5}, {1, 1}, {1, 1}, {1, 1}, 1}, {11, 32, 3, 1},
                   {11, 32, 5, 3}, layout);
  }
}

/// Outputs that are too large for the caches are written around them; `epilogue` follows the sums.
TEST_F(Amx, LargeOutputsEqualTheirReference) {
  Random random(1, "large");
  const auto check_product = [&](Op op, Types in, int64_t products) {
    const Types out = op.infer(in);
    const Problem problem{.op = std::move(op), .in = std::move(in), .out = out, .threads = 2};
    ASSERT_GT(problem.out[0].numel(), 1 << 20);
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random), bound_of_sums(products)));
  };
  const Type x{DType::f32, {8200, 32}}, w{DType::f32, {144, 32}}, y{DType::f32, {8200, 144}},
      bias{DType::f32, {144}}, b{DType::f32, {32, 144}};
  check_product(Linear{}, {x, w}, 32);
  Linear sums{.bias = true};
  EpilogueStep gelu;
  gelu.activation = UnaryKind::gelu;
  sums.epilogue.append(gelu);
  sums.sums = true;
  check_product(sums, {x, w, bias}, 32);
  check_product(MatMul{.slope = UnaryKind::gelu, .value = true}, {x, b, y}, 32);
}

/// Where weights are fixed, those of gradients are packed, too, whatever their order.
TEST_F(Amx, FixedWeightsOfGradientsEqualTheirReference) {
  const FixedWeightsScope fixed(true);
  Random random(1, "fixed");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Problem problem = random_gradient(random, 2, false, {.blocks = true});
    if (refusal("amx", problem)) continue;
    const int64_t products = problem.in[0].numel() / problem.in[0].dim(1);
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random), bound_of_sums(products)));
  }
}

/// Now and then more rows than a task has, or more products than are added up at a time.
struct Sizes {
  int64_t rows, in, out;
};
Sizes random_sizes(Random& random) {
  Sizes sizes{pick(random, 1, 90), 16 * pick(random, 1, 8), 16 * pick(random, 1, 8)};
  const uint64_t large = random.below(12);
  if (large == 0) sizes.rows = pick(random, 300, 1200);
  if (large == 1) sizes.in = 16 * pick(random, 33, 70);
  if (large == 2) sizes.out = 16 * pick(random, 20, 40);
  return sizes;
}

TEST_F(Amx, LinearLayersEqualTheirReferenceForAnySizesAndEpilogue) {
  Random random(1, "linear");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const auto [rows, in, out] = random_sizes(random);
    const Type x{DType::f32, {rows, in}}, y{DType::f32, {rows, out}};
    Types types{x, {DType::f32, {out, in}}};
    Linear op{.bias = random.below(2) == 0};
    if (op.bias) types.push_back({DType::f32, {out}});
    for (int64_t steps = pick(random, 0, 2); steps > 0; --steps) {
      EpilogueStep step;
      if (random.below(2) == 0) step.activation = UnaryKind::gelu;
      op.epilogue.append(step);
    }
    types.insert(types.end(), op.epilogue.residuals(), y);
    op.sums = !op.epilogue.empty() && random.below(2) == 0;
    const Problem problem{.op = op, .in = types, .out = Types(op.sums ? 2 : 1, y), .threads = 1};
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random), bound_of_sums(in)));
  }
}

TEST_F(Amx, ProductsOfMatricesEqualTheirReference) {
  Random random(1, "products");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const auto [m, k, n] = random_sizes(random);
    const auto matrix = [](int64_t rows, int64_t columns, bool transposed) -> Type {
      return {DType::f32, transposed ? Shape{columns, rows} : Shape{rows, columns}};
    };
    MatMul op{.transpose_a = trial % 3 == 1, .transpose_b = trial % 3 == 2};
    op.sums = op.transpose_a && random.below(2) == 0;
    // Sums over rows: any number of them.
    Types in = op.transpose_a ? Types{matrix(m, k, false), matrix(m, n, false)}
                              : Types{matrix(m, k, false), matrix(k, n, op.transpose_b)};
    if (!op.transpose_a && random.below(2) == 0) {
      op.slope = UnaryKind::gelu;
      op.value = random.below(2) == 0;
      in.push_back(matrix(m, n, false));
    }
    const Problem problem{.op = op, .in = in, .out = op.infer(in), .threads = 1};
    ASSERT_TRUE(check("amx", problem, random_inputs(problem, random),
                      bound_of_sums(op.transpose_a ? m : k)));
  }
}

/// The largest difference from the reference.
double error_of(const std::string& rule, const Problem& problem, const std::vector<Array>& in) {
  const Array exact = reference_outputs(problem, in)[0];
  const auto rules = kernel_rules(problem.op);
  Offer offer = std::ranges::find(rules, rule, &KernelRule::name)->make(problem);
  const Array y = outputs_of(*std::get<std::unique_ptr<Kernel>>(offer), problem, in)[0];
  double largest = 0;
  for (int64_t i = 0; i < y.shape().numel(); ++i) {
    const double error = std::abs(y.data<float>()[i] - exact.data<double>()[i]);
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, error);
  }
  return largest;
}

/// Bits differ from those of a CPU without AMX: records and tuning must not take them for equal.
TEST_F(Amx, IsNamedInTheInstructionSet) {
  EXPECT_TRUE(instruction_set().ends_with("+AMX")) << instruction_set();
}

TEST_F(Amx, IsAsAccurateAsProductsOfF32) {
  Random random(1, "accuracy");
  const Type a{DType::f32, {320, 448}}, b{DType::f32, {448, 64}}, c{DType::f32, {320, 64}};
  for (const Problem& problem : {Problem{MatMul{}, {a, b}, {{DType::f32, {320, 64}}}},
                                 Problem{MatMul{.transpose_a = true}, {a, c}, {b}}}) {
    // Of sums near 1e-26, too: all parts of their products are far above what counts as 0.
    for (const float scale : {1.f, 1e-14f}) {
      std::vector<Array> in = random_inputs(problem, random);
      for (Array& array : in) {
        for (int64_t i = 0; i < array.shape().numel(); ++i) array.data<float>()[i] *= scale;
      }
      const double direct = error_of("simd:direct", problem, in);
      EXPECT_TRUE(std::isfinite(direct));
      EXPECT_LE(error_of("amx", problem, in), 1.5 * direct) << "times " << scale;
    }
  }
}

TEST_F(Amx, IsChosenWhereManyProductsAreComputedForEachValueOrWhereItIsMeasuredToBeFastest) {
  const auto product = [](int64_t rows, int64_t in, int64_t out) -> Problem {
    return {
        MatMul{}, {{DType::f32, {rows, in}}, {DType::f32, {in, out}}}, {{DType::f32, {rows, out}}}};
  };
  EXPECT_EQ(choose_kernel(product(3136, 1536, 384)).name, "amx");
  EXPECT_NE(choose_kernel(product(12544, 768, 192)).name, "amx");  // few products for each value
  EXPECT_NE(choose_kernel(product(196, 1536, 768)).name, "amx");   // or for each weight
  EXPECT_NE(choose_kernel(product(3130, 1530, 390)).name, "amx");  // no multiples of 16

  const Type x{DType::f32, {16, 1024, 14, 14}, Layout::blocked16},
      w{DType::f32, {1024, 1024, 1, 1}};
  const Conv op{.geometry = {{1, 1}, {1, 1}, {0, 0}, {0, 0}, 1}, .kernel = {1, 1}};
  const Problem pixels{op, {x, w}, {x}};
  EXPECT_NE(choose_kernel(pixels).name, "amx");
  const auto measured = std::make_shared<Tuning>();
  measured->find(pixels, [] { return Tuning::Fastest{"amx", 1e-3}; });
  const TuningScope scope(measured);
  EXPECT_EQ(choose_kernel(pixels).name, "amx");
}

}  // namespace
}  // namespace fovea::kernel_test
