// Ops that mixed precision may narrow: on bf16 and f16 values each has a fast kernel, and is its
// float64 reference within the rounding of the format.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "fovea/kernels/converted.h"
#include "fovea/nn.h"
#include "fovea/ops.h"
#include "fovea/passes/pipeline.h"
#include "kernels/harness.h"
#include "ops/samples.h"

namespace fovea::kernel_test {
namespace {

/// The sample's problem with its f32 values as narrow_precision narrows them.
Problem narrowed(const harness::Sample& sample, DType dtype) {
  Types in = sample.types();
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i].dtype == DType::f32 && !sample.op.keeps_wide(i)) in[i].dtype = dtype;
  }
  Problem problem{sample.op, in, sample.op.infer(in)};
  problem.threads = 2;
  return problem;
}

std::vector<Array> drawn(const harness::Sample& sample, const Problem& problem) {
  Random random(1, sample.name);
  std::vector<Array> arrays;
  for (size_t i = 0; i < problem.in.size(); ++i) {
    const Type& type = problem.in[i];
    std::vector<double> values(static_cast<size_t>(type.numel()));
    sample.inputs[i].fill(random, {values.data(), type.shape});
    arrays.emplace_back(type.dtype, type.shape);
    for (int64_t k = 0; k < type.numel(); ++k) arrays.back().set(k, values[static_cast<size_t>(k)]);
  }
  return arrays;
}

std::vector<Array> computed(const Kernel& kernel, const Problem& problem,
                            const std::vector<Array>& in) {
  std::vector<Array> out;
  std::vector<const std::byte*> from;
  std::vector<std::byte*> to;
  for (const Array& array : in) from.push_back(array.raw());
  for (const Type& type : problem.out) {
    out.emplace_back(type.dtype, type.shape);
    to.push_back(out.back().raw());
  }
  const auto scratch = allocate(kernel.scratch_bytes()), packed = allocate(kernel.packed_bytes());
  kernel.pack(from, packed.get());
  kernel.run({from, to, scratch.get(), packed.get()});
  return out;
}

class Narrowed : public testing::TestWithParam<harness::Family> {};

TEST_P(Narrowed, IsTheReferenceWithinTheRoundingOfTheFormat) {
  const std::map<DType, double> rounding{
      {DType::bf16, 0x1p-8}, {DType::f16, 0x1p-11}, {DType::f32, 0x1p-20}};
  const std::vector<harness::Sample> samples = GetParam().make(DType::f32);
  for (size_t s = 0; s < samples.size(); ++s) {
    if (samples[s].op.traits().precision == PrecisionRule::wide) continue;
    const Problem problem = narrowed(samples[s], s % 2 == 0 ? DType::bf16 : DType::f16);
    const std::vector<Array> in = drawn(samples[s], problem);
    const KernelChoice choice = choose_kernel(problem);
    const std::vector<Array> got = computed(*choice.kernel, problem, in),
                             want = reference_outputs(problem, in);
    for (size_t o = 0; o < got.size(); ++o) {
      double largest = 1;
      for (int64_t i = 0; i < got[o].numel(); ++i)
        largest = std::max(largest, std::abs(want[o].at(i)));
      for (int64_t i = 0; i < got[o].numel(); ++i) {
        const double bound =
            is_float(got[o].dtype()) ? rounding.at(got[o].dtype()) * std::abs(want[o].at(i)) : 0;
        ASSERT_NEAR(got[o].at(i), want[o].at(i), bound + 1e-5 * largest)
            << describe(problem) << " by " << choice.name << ", output " << o << ", element " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Narrowed, testing::ValuesIn(harness::families()),
                         [](const auto& family) { return family.param.name; });

/// The problems of a training step on a block of layers that no kernel takes in `dtype` as they
/// are, other than products: these may be computed in f32.
template <class Block, class... Arguments>
std::string widened_in(DType dtype, const Shape& image, const Arguments&... arguments) {
  const Block block(nn::Scope("block"), arguments...);
  const auto graph = Graph::make(Mode::train);
  const Tensor y = block(graph->input("input", {DType::f32, image}));
  graph->output("loss", mean(y * y));
  std::string list;
  const auto narrow = run_passes(*graph, {.loss = "loss", .precision = dtype});
  for (const Node& node : narrow->nodes()) {
    if (node.op.traits().view) continue;
    Problem problem{.op = node.op, .in = {}, .out = {}, .threads = 2};
    for (int id : node.inputs) problem.in.push_back(narrow->value(id).type);
    for (int id : node.outputs) problem.out.push_back(narrow->value(id).type);
    if (node.op.flops(problem.in, problem.out) != 0) continue;
    const KernelChoice choice = choose_kernel(problem);
    if (choice.name == "reference" || is_widened(choice)) list += describe(problem) + "\n";
  }
  return list;
}

TEST(Narrow, MemoryBoundOpsOfATrainingStepReadAndWrite16Bits) {
  const Shape image{4, 64, 8, 8};
  for (const DType dtype : {DType::bf16, DType::f16}) {
    EXPECT_EQ((widened_in<nn::BasicBlock>(dtype, image, 64, 128, 2)), "");
    EXPECT_EQ((widened_in<nn::SEBasicBlock>(dtype, image, 64, 64)), "");
    EXPECT_EQ((widened_in<nn::MBConv>(dtype, image, 64, 64)), "");
    EXPECT_EQ((widened_in<nn::DenseBlock>(dtype, image, 2, 64, 12)), "");
    EXPECT_EQ((widened_in<nn::ConvNeXtBlock>(dtype, image, 64)), "");
  }
}

TEST(Widened, IsTheKernelForF32BetweenCasts) {
  const Types in{{DType::f16, {4, 16, 6, 6}}, {DType::f16, {32, 16, 3, 3}}};
  Problem problem =
      make_problem(Conv{.geometry = {{2, 2}, {1, 1}, {1, 1}, {1, 1}}, .kernel = {3, 3}}, in);
  problem.threads = 2;
  const KernelChoice choice = choose_kernel(problem);
  EXPECT_TRUE(is_widened(choice)) << choice.name;
  EXPECT_FALSE(choice.refused.empty());
  const Problem cast = make_problem(Cast{DType::f16}, {{DType::f32, {4}}});
  EXPECT_EQ(choose_kernel(cast).name, "simd");
  const Problem f64 = make_problem(Conv{.geometry = {{1}, {1}, {0}, {0}}, .kernel = {3}},
                                   {{DType::f64, {1, 1, 5}}, {DType::f64, {1, 1, 3}}});
  EXPECT_FALSE(widened(f64).has_value());
}

}  // namespace
}  // namespace fovea::kernel_test
