#include "fovea/kernels/simd/im2col.h"

#include "fovea/core/random.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/ops/conv.h"
#include "kernels/convolutions.h"

namespace fovea::kernel_test {
namespace {

/// Calls run(problem) for random passes of convolutions over 1 to 3 axes.
void for_each_pass(Random& random, const std::function<void(const Problem&)>& run) {
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int axes = trial % 3 + 1;
    for (const Problem& problem : {random_convolution(random, axes, {.blocks = true}),
                                   random_gradient(random, axes, false, {.blocks = true}),
                                   random_gradient(random, axes, true, {.blocks = true})})
      run(problem);
  }
}

TEST(Im2col, EveryPassEqualsItsReferenceForAnyGeometryAndLayout) {
  Random random(1, "im2col");
  int accepted = 0, many = 0;
  for_each_pass(random, [&](const Problem& problem) {
    if (const auto why = refusal("simd:im2col", problem)) {
      EXPECT_EQ(*why, "only up to 512 positions");
      ++many;
      return;
    }
    ++accepted;
    const auto* weights = problem.op.as<ConvBackwardWeights>();
    const auto* data = problem.op.as<ConvBackwardData>();
    const Type& w = problem.in[data != nullptr ? 0 : 1];
    const int64_t sums = weights != nullptr ? problem.in[1].numel() / problem.in[1].dim(1)
                                            : w.numel() / w.dim(data != nullptr ? 1 : 0);
    ASSERT_TRUE(check("simd:im2col", problem, random_inputs(problem, random), bound_of_sums(sums)));
  });
  EXPECT_GT(accepted, shapes_per_op);
  EXPECT_GT(many, 0);
}

/// The kernels of the three passes of a convolution of 3x3 with 512 input and output channels.
std::vector<std::string> chosen(int64_t batch, int64_t side) {
  const Type x{DType::f32, {batch, 512, side, side}, Layout::channels_last};
  const Type w{DType::f32, {512, 512, 3, 3}};
  std::vector<std::string> names;
  for (const Problem& problem : {Problem{Conv{.geometry = same, .kernel = {3, 3}}, {x, w}, {x}},
                                 Problem{ConvBackwardData{same, x.shape}, {w, x}, {x}},
                                 Problem{ConvBackwardWeights{same, w.shape}, {x, x}, {w}}})
    names.push_back(choose_kernel(problem).name);
  return names;
}

// The last layers of a small net, of an image or two.
TEST(Im2col, IsChosenInTrainingForFewPositionsAndManyWeights) {
  if (preferred_layout({DType::f32, {2, 16, 32, 32}}) == Layout::blocked16)
    GTEST_SKIP() << "not measured with AVX-512";
  const std::vector<std::string> all(3, "simd:im2col");
  EXPECT_EQ(chosen(1, 4), all);
  EXPECT_EQ(chosen(4, 4), all);
  for (const std::string& name : chosen(16, 8)) EXPECT_NE(name, "simd:im2col");
  const FixedWeightsScope fixed(true);
  EXPECT_EQ(chosen(1, 4)[0], "simd:direct");
}

}  // namespace
}  // namespace fovea::kernel_test
