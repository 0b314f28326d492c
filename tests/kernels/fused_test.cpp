#include "fovea/ops/fused.h"

#include <cstring>

#include "fovea/core/parallel.h"
#include "fovea/ops/activation.h"
#include "kernels/harness.h"

namespace fovea::kernel_test {
namespace {

/// Sizes around a vector, a block and the share of a thread.
const std::vector<int64_t> sizes{0, 1, 7, 33, 512, 1000, 40001};

FusedElementwise program(int64_t inputs, std::vector<double> constants,
                         const std::vector<FusedInstruction>& code, std::vector<int64_t> results) {
  FusedElementwise op{.inputs = inputs, .constants = std::move(constants)};
  for (const FusedInstruction& instruction : code) op.append(instruction);
  op.results = std::move(results);
  return op;
}

// Each operand may be an array, a scalar of either float type, or a constant.
TEST(Fused, EveryInstructionEqualsItsReference) {
  constexpr FusedKind kinds[] = {
      FusedKind::add,     FusedKind::sub,     FusedKind::mul,
      FusedKind::div,     FusedKind::maximum, FusedKind::minimum,
      FusedKind::mul_add, FusedKind::mul_sub, FusedKind::negative_mul_add};
  Random random(1, "fused");
  for (const FusedKind kind : kinds) {
    for (int64_t n : sizes) {
      const Type array{DType::f32, {n}}, scalar{DType::f32, {}}, wide{DType::f64, {1}};
      for (int order = 0; order < 3; ++order) {
        const int64_t operands[] = {0, 1, -1, 2};
        const FusedInstruction instruction{kind, operands[order % 3], operands[(order + 1) % 3],
                                           operands[3]};
        const FusedElementwise op = program(3, {0.7}, {instruction}, {3});
        const Problem problem = make_problem(op, {array, scalar, wide});
        ASSERT_TRUE(check("simd", problem, random_inputs(problem, random),
                          {16, Scale::unit, NonFinite::either}));
      }
    }
  }
}

TEST(Fused, FunctionsAreThoseOfUnary) {
  Random random(2, "fused");
  for (int k = 0; k < unary_kinds; ++k) {
    const FusedElementwise op =
        program(1, {0.5, 2}, {{FusedKind::unary, 0, k, -1}, {FusedKind::mul, 1, -2}}, {1, 2});
    const Problem problem = make_problem(op, {{DType::f32, {700}}});
    std::vector<Array> in = random_inputs(problem, random);
    for (float& v : in[0].data<float>()) v = std::abs(v) + 0.1f;  // a logarithm has
    ASSERT_TRUE(check("simd", problem, in, {32, Scale::unit, NonFinite::either}));
  }
}

/// m' = 0.9 m + 0.1 g, p' = p - lr m', and last p' - p: both results are read again, and p after
/// its new value is there.
const FusedElementwise momentum = program(4, {0.9, 0.1},
                                          {{FusedKind::mul, 1, -2},                 // 4
                                           {FusedKind::mul_add, 2, -1, 4},          // 5: m'
                                           {FusedKind::negative_mul_add, 3, 5, 0},  // 6: p'
                                           {FusedKind::sub, 6, 0}},                 // 7
                                          {5, 6, 7});

TEST(Fused, AChainWithSeveralResultsEqualsItsReference) {
  Random random(3, "fused");
  for (int64_t n : sizes) {
    const Type array{DType::f32, {n}};
    const Problem problem = make_problem(momentum, {array, array, array, {DType::f64, {}}});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random),
                      {16, Scale::unit, NonFinite::either}));
  }
}

TEST(Fused, InPlaceItGivesTheSameResult) {
  Random random(4, "fused");
  for (int64_t n : sizes) {
    const Type array{DType::f32, {n}};
    const Problem problem = make_problem(momentum, {array, array, array, {DType::f64, {}}});
    const std::vector<Array> in = random_inputs(problem, random);
    for_each_instruction_set([&](std::string_view set) {
      const KernelChoice choice = choose_kernel(problem);
      ASSERT_TRUE(choice.kernel->in_place(0, 0) && choice.kernel->in_place(2, 2));
      const auto scratch = allocate(choice.kernel->scratch_bytes());
      const auto run = [&](Array& p, const Array& g, Array& m, std::vector<Array> out) {
        const std::byte* inputs[] = {p.raw(), g.raw(), m.raw(), in[3].raw()};
        std::byte* outputs[] = {out[0].raw(), out[1].raw(), out[2].raw()};
        choice.kernel->run({.in = inputs, .out = outputs, .scratch = scratch.get()});
      };
      Array p = in[0].clone(), m = in[2].clone();
      const std::vector<Array> apart{Array(DType::f32, {n}), Array(DType::f32, {n}),
                                     Array(DType::f32, {n})};
      run(p, in[1], m, apart);
      EXPECT_EQ(std::memcmp(p.raw(), in[0].raw(), p.bytes()), 0);
      Array difference(DType::f32, {n});
      run(p, in[1], m, {m, p, difference});
      const Array* now[] = {&m, &p, &difference};
      for (size_t k = 0; k < 3; ++k)
        EXPECT_EQ(std::memcmp(now[k]->raw(), apart[k].raw(), p.bytes()), 0) << set << ", " << k;
    });
  }
}

// Bias corrections and rates, once per array: exactly what the reference computes.
TEST(Fused, OneNumberIsComputedInFloat64) {
  Random random(5, "fused");
  for (const Type& out : {Type{DType::f64, {}}, Type{DType::f64, {1, 1}}}) {
    FusedElementwise op = program(2, {0.5, 3},
                                  {{FusedKind::unary, 0, static_cast<int64_t>(UnaryKind::exp), -1},
                                   {FusedKind::negative_mul_add, 2, 1, -2},
                                   {FusedKind::div, 3, 0}},
                                  {3, 4});
    op.dtype = DType::f64;
    const Problem problem = make_problem(op, {out, {DType::f32, {}}});
    ASSERT_TRUE(check("simd", problem, random_inputs(problem, random), {}));
  }
}

TEST(Fused, SaysWhatItRefuses) {
  const FusedElementwise twice = program(1, {2}, {{FusedKind::mul, 0, -1}}, {1});
  FusedElementwise wide = twice;
  wide.dtype = DType::f64;
  EXPECT_EQ(refusal("simd", make_problem(wide, {{DType::f64, {8}}})), "only f32, and one f64");
  EXPECT_EQ(refusal("simd", make_problem(twice, {{DType::bf16, {8}}})), "only arrays of f32");
  FusedElementwise many = program(1, {}, {}, {});
  for (int64_t i = 0; i < 80; ++i) many.append({FusedKind::add, i, 0});
  many.results = {80};
  EXPECT_EQ(refusal("simd", make_problem(many, {{DType::f32, {8}}})), "only 64 operands");
  FusedElementwise late = program(1, {2}, {}, {});  // all results at once
  for (int64_t i = 0; i < 20; ++i)
    late.append({FusedKind::mul, i, -1}), late.results.push_back(i + 1);
  EXPECT_EQ(refusal("simd", make_problem(late, {{DType::f32, {8}}})),
            "only 16 intermediate results at once");
}

}  // namespace
}  // namespace fovea::kernel_test
