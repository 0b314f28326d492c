#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "fovea/ops.h"
#include "ops/samples.h"

namespace fovea::harness {
namespace {

class Gradients : public ::testing::TestWithParam<Family> {};

// A wrong gradient trains, only worse: nobody would see it in the loss.
TEST_P(Gradients, EqualCentralDifferences) {
  for (const Sample& sample : GetParam().make(DType::f64)) {
    check_gradient(sample, GetParam().tolerance);
    if (HasFailure()) return;
  }
}

// The type that infer promises is what every other pass plans with.
TEST_P(Gradients, OutputsAreWrittenWhole) {
  for (const Sample& sample : GetParam().make(DType::f64)) {
    Random random(3, sample.name);
    const Traced t = trace(sample, random);
    for (size_t id = 0; id < t.values.size(); ++id) {
      for (double v : t.values[id]) {
        ASSERT_FALSE(std::isnan(v)) << sample.name << ", value " << id;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradients, ::testing::ValuesIn(families()),
                         [](const auto& family) { return family.param.name; });

/// Square root whose gradient lacks the factor 1/2.
struct WrongSquareRoot {
  static constexpr std::string_view name = "wrong_square_root";
  Types infer(const Types& in) const { return in; }
  Tensors gradient(const Node& node, const Tensors& dy) const { return {dy[0] / node.output(0)}; }
  void reference(const Views& v) const {
    for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = std::sqrt(v.in[0][i]);
  }
};

// The check itself must be able to fail.
TEST(Harness, FindsAWrongGradient) {
  const Sample sample{
      "wrong", WrongSquareRoot{}, {{{DType::f64, {5}}, [](Random& r, const View& x) {
                                      for (int64_t i = 0; i < x.numel(); ++i)
                                        x[i] = 1 + r.uniform();
                                    }}}};
  ::testing::TestPartResultArray found;
  {
    ::testing::ScopedFakeTestPartResultReporter catcher(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
    check_gradient(sample, 1e-3);
  }
  EXPECT_EQ(found.size(), 1);
}

// Equal text means equal ops: a pass that merges equal nodes would merge these.
TEST(Attributes, TellOpsApart) {
  const PoolGeometry pool{{2}, {2}, {0}, {0}, {1}, false};
  PoolGeometry ceil = pool;
  ceil.ceil_mode = true;
  const std::vector<Op> ops{
      Unary{UnaryKind::leaky_relu, 0.1},
      Unary{UnaryKind::leaky_relu, 0.2},
      Unary{UnaryKind::elu, 0.1},
      UnaryBackward{UnaryKind::elu, 0.1},
      Affine{2, 0},
      Affine{1, 2},
      MaxPool{pool},
      MaxPool{ceil},
      AvgPool{pool},
      AvgPool{pool, false},
      BatchNorm{},
      BatchNorm{.relu = true},
      BatchNorm{.residual = true},
      BatchNorm{.eps = 1e-3},
      BatchNorm{.momentum = 0.01},
      BatchNormBackward{},
      BatchNormBackward{.relu = true},
      Linear{},
      Linear{true},
      MatMul{},
      MatMul{true, false},
      MatMul{false, true},
      MatMul{true, true},
      Dropout{0.5, 1},
      Dropout{0.5, 2},
      Dropout{0.4, 1},
      SoftmaxCrossEntropy{},
      SoftmaxCrossEntropy{0.1},
      Softmax{},
      Softmax{true},
      Binary{BinaryKind::add},
      BroadcastBinary{BinaryKind::add},
      Permute{{0, 1}},
      Permute{{1, 0}},
      Slice{0, 1, 2},
      Slice{0, 1, 3},
      SliceBackward{0, 1, 3},
      Cast{DType::f64},
      Cast{DType::f32},
      NormalizeImages{{0.5f}, {0.25f}},
      NormalizeImages{{0.5f}, {0.5f}},
      Pad{{1}, {1}},
      Pad{{1}, {2}},
      Pad{{1}, {1}, PadMode::reflect},
      Pad{{1}, {1}, PadMode::constant, 2},
      MaxPoolIndices{pool},
      AdaptiveMaxPool{{2}},
      AdaptiveAvgPool{{2}},
      MaxUnpool{{4}},
      MaxUnpool{{5}},
      Upsample{{4}},
      Upsample{{5}},
      Upsample{{4}, UpsampleMode::linear},
      Upsample{{4}, UpsampleMode::linear, true},
      Upsample{{4}, UpsampleMode::linear, false, {1.5}},
      Upsample{{4}, UpsampleMode::linear, false, {1.75}},
      NegativeLogLikelihood{},
      NegativeLogLikelihood{0.1},
      NegativeLogLikelihood{0, 1},
      NegativeLogLikelihood{0, 2},
      NegativeLogLikelihood{0, {}, true},
  };
  std::set<std::string> texts;
  for (const Op& op : ops) {
    const std::string text = std::string(op.name()) + " " + op.attributes();
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
}

}  // namespace
}  // namespace fovea::harness
