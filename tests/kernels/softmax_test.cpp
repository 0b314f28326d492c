#include <cmath>
#include <limits>

#include "error_text.h"
#include "fovea/ops/likelihood.h"
#include "fovea/ops/loss.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// N, K and at most three more axes; now and then more pixels than one task takes.
Shape random_logits(Random& random, int64_t least = 0) {
  Shape shape{pick(random, least, 4), pick(random, 1, random.below(4) == 0 ? 150 : 12)};
  for (int64_t axes = pick(random, 0, 3); axes > 0; --axes)
    shape = shape.concat({pick(random, 1, 7)});
  if (random.below(12) == 0) shape = {2, 3, pick(random, 250, 600)};
  return shape;
}

/// Logits near each other and far apart.
std::vector<Array> spread_inputs(const Problem& problem, Random& random) {
  std::vector<Array> in = random_inputs(problem, random);
  const auto spread = pick<float>(random, {0.3f, 1, 4});
  for (float& v : in[0].data<float>()) v *= spread;
  return in;
}

TEST(Softmax, EqualsItsReferenceAlongAnyAxis) {
  Random random(1, "softmax");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Type x{DType::f32, random_logits(random)};
    for (bool log : {false, true}) {
      const Problem problem = make_problem(Softmax{log}, {x});
      const Bound bound{32, log ? Scale::unit : Scale::element};
      ASSERT_TRUE(check("simd", problem, spread_inputs(problem, random), bound));
    }
  }
  EXPECT_EQ(refusal("simd", make_problem(Softmax{}, {{DType::f64, {2, 3}}})), "only f32");
}

TEST(Softmax, GradientsEqualTheirReference) {
  Random random(2, "softmax");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const Type x{DType::f32, random_logits(random)};
    for (bool log : {false, true}) {
      const Problem forward = make_problem(Softmax{log}, {x});
      const Problem problem = make_problem(SoftmaxBackward{log}, {x, x});
      std::vector<Array> in = random_inputs(problem, random);
      in[0] = reference_outputs(forward, spread_inputs(forward, random))[0].astype(DType::f32);
      ASSERT_TRUE(check("simd", problem, in, {32, Scale::unit}));
    }
  }
}

/// A random problem of the likelihood: labels, some of them ignored, or soft targets.
struct LikelihoodSample {
  NegativeLogLikelihood op;
  Types types;
  std::vector<Array> data;
};
LikelihoodSample random_likelihood(Random& random) {
  LikelihoodSample s;
  const Shape shape = random_logits(random, 1);
  const Shape pixels = shape.slice(0, 1).concat(shape.slice(2));
  const bool soft = random.below(2) == 0;
  s.op.label_smoothing = pick<double>(random, {0, 0, 0.1, 1});
  s.op.weighted = random.below(2) == 0;
  if (!soft && random.below(2) == 0) s.op.ignore_index = pick<int64_t>(random, {-100, 0, 255});
  s.types = {{DType::f32, shape}, soft ? Type{DType::f32, shape} : Type{DType::i64, pixels}};
  if (s.op.weighted) s.types.push_back({DType::f32, {shape[1]}});

  for (const Type& type : s.types) s.data.emplace_back(type.dtype, type.shape);
  for (float& v : s.data[0].data<float>())
    v = random.below(50) == 0 ? -std::numeric_limits<float>::infinity()
                              : -static_cast<float>(std::abs(3 * random.normal()));
  for (int64_t i = 0; i < s.data[1].numel(); ++i) {
    const bool ignored = s.op.ignore_index && random.below(3) == 0;
    const double label = ignored ? static_cast<double>(*s.op.ignore_index)
                                 : static_cast<double>(random.below(uint64_t(shape[1])));
    s.data[1].set(i, soft ? (random.below(3) == 0 ? 0 : random.uniform()) : label);
  }
  for (int64_t k = 0; s.op.weighted && k < shape[1]; ++k)
    s.data[2].set(k, random.below(8) == 0 ? 0 : random.uniform());
  return s;
}

TEST(Likelihood, EqualsItsReferenceForLabelsAndSoftTargets) {
  Random random(3, "likelihood");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    const LikelihoodSample s = random_likelihood(random);
    const Problem problem = make_problem(s.op, s.types);
    ASSERT_TRUE(check("simd", problem, s.data, {16, Scale::element}));
  }
}

TEST(Likelihood, GradientsEqualTheirReference) {
  Random random(4, "likelihood");
  for (int trial = 0; trial < shapes_per_op; ++trial) {
    LikelihoodSample s = random_likelihood(random);
    s.types.push_back({DType::f32, {}});
    s.data.push_back(Array::full(DType::f32, {}, random.normal()));
    const Problem problem = make_problem(NegativeLogLikelihoodBackward{s.op}, s.types);
    ASSERT_TRUE(check("simd", problem, s.data, {8, Scale::output, NonFinite::either}));
  }
}

TEST(Likelihood, ALabelOutOfRangeGivesTheErrorOfTheReference) {
  const Problem problem = make_problem(NegativeLogLikelihood{},
                                       {{DType::f32, {2, 10, 3, 900}}, {DType::i64, {2, 3, 900}}});
  Random random(5, "likelihood");
  std::vector<Array> in = random_inputs(problem, random);
  in[1].data<int64_t>()[2800] = 255;
  in[1].data<int64_t>()[5201] = -1;
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
            "cross_entropy: label 255 of pixel 2800 is not one of 10 classes\n"
            "  try     labels from 0 to 9, an ignore_index, or a net with more classes");
}

}  // namespace
}  // namespace fovea::kernel_test
