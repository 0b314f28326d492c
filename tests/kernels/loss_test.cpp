#include <cmath>
#include <optional>

#include "error_text.h"
#include "fovea/ops/dropout.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/metrics.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Inputs of a random cross-entropy: logits, labels or soft targets.
struct CrossEntropySample {
  Types types;
  std::vector<Array> data;
};
CrossEntropySample random_cross_entropy(Random& random) {
  const int64_t rows = pick(random, 1, 40), classes = pick(random, 1, 70);
  const bool soft = random.below(2) == 0;
  CrossEntropySample s{{{DType::f32, {rows, classes}}}, {}};
  s.types.push_back(soft ? s.types[0] : Type{DType::i64, {rows}});
  Array logits(DType::f32, {rows, classes}), targets(s.types[1].dtype, s.types[1].shape);
  const double spread = pick<double>(random, {1, 10, 60});
  for (float& v : logits.data<float>()) v = static_cast<float>(spread * random.normal());
  if (soft) {
    for (float& v : targets.data<float>())
      v = random.below(3) == 0 ? 0 : static_cast<float>(random.uniform());
  } else {
    for (int64_t& v : targets.data<int64_t>())
      v = static_cast<int64_t>(random.below(static_cast<uint64_t>(classes)));
  }
  s.data = {logits, targets};
  return s;
}

TEST(CrossEntropy, EqualsItsReferenceForLabelsAndSoftTargets) {
  Random random(1, "loss");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const CrossEntropySample s = random_cross_entropy(random);
    const SoftmaxCrossEntropy op{pick<double>(random, {0, 0, 0.1, 1})};
    const Problem problem = make_problem(op, s.types);
    ASSERT_TRUE(check("simd", problem, s.data, {16, Scale::unit}));
  }
}

TEST(CrossEntropy, GradientsEqualTheirReference) {
  Random random(2, "loss");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    CrossEntropySample s = random_cross_entropy(random);
    s.types.push_back({DType::f32, {}});
    const auto rows = static_cast<double>(s.types[0].dim(0));  // so that |dy| / N is up to 1
    s.data.push_back(Array::full(DType::f32, {}, rows * (2 * random.uniform() - 1)));
    const SoftmaxCrossEntropyBackward op{pick<double>(random, {0, 0, 0.1, 1})};
    const Problem problem = make_problem(op, s.types);
    ASSERT_TRUE(check("simd", problem, s.data, {64, Scale::unit, NonFinite::either}));
  }
}

TEST(CrossEntropy, ALabelOutOfRangeGivesTheErrorOfTheReference) {
  const Problem problem =
      make_problem(SoftmaxCrossEntropy{}, {{DType::f32, {300, 10}}, {DType::i64, {300}}});
  Random random(3, "loss");
  std::vector<Array> in = random_inputs(problem, random);
  in[1].data<int64_t>()[277] = 10;
  in[1].data<int64_t>()[298] = -1;
  const std::string text =
      error_text(ErrorKind::data, [&] { (void)reference_outputs(problem, in); });
  EXPECT_EQ(text,
            "cross_entropy: label 10 of sample 277 is not one of 10 classes\n"
            "  try     labels from 0 to 9, or a net with more classes");
  const KernelChoice choice = choose_kernel(problem);
  ASSERT_EQ(choice.name, "simd");
  std::vector<float> out(1);
  std::vector<std::byte> scratch(choice.kernel->scratch_bytes());
  const std::byte* inputs[] = {in[0].raw(), in[1].raw()};
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(out.data())};
  EXPECT_EQ(error_text(ErrorKind::data,
                       [&] {
                         choice.kernel->run({inputs, outputs, scratch.data(), nullptr});
                       }),
            text);
}

TEST(OneHot, EqualsItsReferenceInEveryShape) {
  Random random(6, "one_hot");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const OneHot op{pick(random, 10, 40), pick<DType>(random, {DType::f32, DType::f64})};
    Type labels{DType::i64, {pick(random, 0, 300)}};
    if (trial % 2 == 0) labels.shape = labels.shape.concat({pick(random, 1, 5), 3});
    const Problem problem = make_problem(op, {labels});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(OneHot, ALabelOutOfRangeGivesTheErrorOfTheReference) {
  const Problem problem = make_problem(OneHot{3, DType::f32}, {{DType::i64, {4}}});
  const Array labels = Array::of(std::vector<int64_t>{0, 2, 3, 1});
  const KernelChoice choice = choose_kernel(problem);
  ASSERT_EQ(choice.name, "simd");
  std::vector<float> out(12);
  const std::byte* inputs[] = {labels.raw()};
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(out.data())};
  expect_error(ErrorKind::data, "one_hot: label 3 at 2 is not one of 3 classes", [&] {
    choice.kernel->run({inputs, outputs, nullptr, nullptr});
  });
}

TEST(ConfusionMatrix, AndArgMaxEqualTheirReferencesInEveryShape) {
  Random random(7, "confusion_matrix");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const int64_t classes = pick(random, 10, 30), samples = pick(random, 0, 3);
    Shape spatial;
    if (trial % 3 > 0) spatial = spatial.concat({pick(random, 1, 400)});
    if (trial % 3 > 1) spatial = spatial.concat({pick(random, 1, 5)});
    const Type logits{DType::f32, Shape{samples, classes}.concat(spatial)},
        labels{DType::i64, Shape{samples}.concat(spatial)};
    std::optional<int64_t> ignored;
    if (trial % 2 == 0) ignored = 3;
    const Problem counts = make_problem(ConfusionMatrix{ignored}, {logits, labels});
    auto in = random_inputs(counts, random);
    for (float& v : in[0].data<float>()) {  // NaN, infinity and equal logits too
      if (random.below(20) == 0) v = pick<float>(random, {NAN, INFINITY, -INFINITY, 0.5F});
    }
    ASSERT_TRUE(check("simd", counts, in, {}));
    ASSERT_TRUE(check("simd", make_problem(ArgMax{}, {logits}), {in[0]}, {}));
  }
}

TEST(ConfusionMatrix, HasLabelsAsRowsAndIgnoresOneOfThem) {
  const Array logits = Array::of(std::vector<float>{1, 5, 2, 0, 3, 3}, {1, 3, 2});
  const Problem problem =
      make_problem(ConfusionMatrix{-1}, {{DType::f32, {1, 3, 2}}, {DType::i64, {1, 2}}});
  const auto counts = [&](std::vector<int64_t> labels) {
    const Array given = Array::of(labels, {1, 2});
    const Array out = reference_outputs(problem, {logits, given})[0];
    std::vector<double> all;
    for (int64_t i = 0; i < out.numel(); ++i) all.push_back(out.at(i));
    return all;
  };
  EXPECT_EQ(counts({2, 1}), (std::vector<double>{0, 0, 0, 1, 0, 0, 0, 0, 1}));
  EXPECT_EQ(counts({-1, 0}), (std::vector<double>{1, 0, 0, 0, 0, 0, 0, 0, 0}));
  const Array wrong = Array::of(std::vector<int64_t>{0, 3}, {1, 2});
  const KernelChoice choice = choose_kernel(problem);
  ASSERT_EQ(choice.name, "simd");
  std::vector<double> out(9);
  std::vector<std::byte> scratch(choice.kernel->scratch_bytes());
  const std::byte* inputs[] = {logits.raw(), wrong.raw()};
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(out.data())};
  expect_error(ErrorKind::data, "confusion_matrix: label 3 at 1 is not one of 3 classes", [&] {
    choice.kernel->run({inputs, outputs, scratch.data(), nullptr});
  });
}

TEST(Dropout, DropsWhatTheReferenceDrops) {
  Random random(5, "dropout");
  for (int trial = 0; trial < 2 * shapes_per_op; ++trial) {
    const Dropout op{pick<double>(random, {0, 0.1, 0.5, 0.9, 1}), random.below(1000)};
    const Type x{value_dtypes[trial % 3], {pick(random, 0, 3), pick(random, 1, 2500)}};
    const Problem problem = make_problem(op, {x, {DType::i64, {2}}});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {2}));
  }
}

}  // namespace
}  // namespace fovea::kernel_test
