#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>

#include "error_text.h"
#include "fovea/ops.h"
#include "ops/samples.h"

namespace fovea::harness {
namespace {

class Gradients : public ::testing::TestWithParam<Family> {};

// A wrong gradient still trains, only worse: the loss would not reveal it.
TEST_P(Gradients, EqualCentralDifferences) {
  for (const Sample& sample : GetParam().make(DType::f64)) {
    check_gradient(sample, GetParam().tolerance);
    if (HasFailure()) return;
  }
}

// The type that infer promises is what every other pass plans with.
TEST_P(Gradients, OutputsAreWrittenCompletely) {
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

// Random shapes are compared with the reference: only these say that the reference is right.
TEST_P(Gradients, WorkedExamplesAreReproduced) {
  for (const Worked& example : GetParam().worked) {
    const std::vector<double> got = run(example.f, example.in)[0].values;
    ASSERT_EQ(got.size(), example.out.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], example.out[i], 1e-12) << i;
  }
}

TEST_P(Gradients, MistakesAreExplained) {
  for (const Refused& mistake : GetParam().refused) {
    const auto graph = Graph::make(Mode::train);
    Tensors in;
    for (const Type& type : mistake.in)
      in.push_back(graph->input("x" + std::to_string(in.size()), type));
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)mistake.f(in); }), mistake.message);
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

}  // namespace
}  // namespace fovea::harness
