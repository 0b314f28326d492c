#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kernels/harness.h"
#include "ops/samples.h"

/// A net whose NaNs vanish looks healthy: no kernel of any op or gradient loses one. Layouts and
/// bf16 are in the test of each kernel: `check` plants such numbers everywhere.
namespace fovea::kernel_test {
namespace {

/// A value of a traced sample as kernels receive it.
Array array_of(const Type& type, const std::vector<double>& values) {
  Array array(type.dtype, type.shape);
  for (int64_t i = 0; i < array.numel(); ++i) array.set(i, values[static_cast<size_t>(i)]);
  return array;
}

class NumbersThatAreNotFinite : public testing::TestWithParam<harness::Family> {};

TEST_P(NumbersThatAreNotFinite, ReachTheOutputsOfEveryKernel) {
  const std::vector<harness::Sample> samples = GetParam().make(DType::f32);
  std::set<std::string> ops, checked;
  for (size_t s = 0; s < samples.size(); s += 4) {
    Random random(1, samples[s].name);
    const harness::Traced traced = harness::trace(samples[s], random);
    for (const Node& node : traced.graph->nodes()) {
      ops.emplace(node.op.name());
      Problem problem{.op = node.op, .in = {}, .out = {}};
      std::vector<Array> in;
      for (int id : node.inputs) {
        problem.in.push_back(traced.graph->value(id).type);
        in.push_back(array_of(problem.in.back(), traced.values[static_cast<size_t>(id)]));
      }
      for (int id : node.outputs) problem.out.push_back(traced.graph->value(id).type);
      for (const KernelRule& rule : kernel_rules(node.op)) {
        if (refusal(rule.name, problem)) continue;
        ASSERT_TRUE(check_nonfinite(rule.name, problem, in));
        checked.emplace(node.op.name());
      }
    }
  }
  if (GetParam().without_kernel.empty()) {
    EXPECT_EQ(checked, ops);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, NumbersThatAreNotFinite, testing::ValuesIn(harness::families()),
                         [](const auto& family) { return family.param.name; });

}  // namespace
}  // namespace fovea::kernel_test
