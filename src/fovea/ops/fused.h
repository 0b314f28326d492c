#pragma once

#include <span>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

enum class FusedKind : uint8_t {
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  mul_add,           ///< a * b + c, rounded once if the CPU supports it
  mul_sub,           ///< a * b - c
  negative_mul_add,  ///< c - a * b
  unary,             ///< UnaryKind b applied to a, with the constant c as its parameter
};
std::span<const std::string_view> enum_names(FusedKind);

/// One step of a FusedElementwise. Operands are numbered: the inputs, then the results of the
/// instructions in order; constant k is -1 - k.
struct FusedInstruction {
  FusedKind kind = FusedKind::add;
  int64_t a = 0, b = 0, c = 0;  ///< c only if the kind uses it

  /// The operands that it reads.
  std::vector<int64_t> operands() const;
};

/// The fusion of a chain of elementwise ops (see passes/fuse_elementwise.h):
/// a short program that runs for each element, with several inputs and
/// results. An input has the shape of the results or one element, and any
/// float type: it is converted to `dtype`, in which everything is computed.
struct FusedElementwise {
  DType dtype = DType::f32;
  int64_t inputs = 0;
  std::vector<double> constants = {};
  std::vector<int64_t> code = {};     ///< four numbers per instruction: kind, a, b, c
  std::vector<int64_t> results = {};  ///< the operands that are the outputs, ascending

  static void fields(auto& op, auto&& visit) {
    visit("dtype", op.dtype, DType::f32);
    visit("inputs", op.inputs);
    visit("constants", op.constants);
    visit("code", op.code);
    visit("results", op.results);
  }

  static constexpr std::string_view name = "fused_elementwise";
  static constexpr Traits traits{.differentiable = false, .elementwise = true};

  std::vector<FusedInstruction> instructions() const;
  void append(const FusedInstruction& instruction);
  /// The result of an instruction in float64, given the inputs and the results before it.
  double compute(const FusedInstruction& instruction, std::span<const double> operands) const;
  /// The operand number of constant k.
  static int64_t constant(int64_t k) { return -1 - k; }

  Types infer(const Types& in) const;
  double flops(const Types& in, const Types& out) const;
  void reference(const Views& v) const;
};

/// The shape of the results for inputs of these types: that of the inputs with other than one
/// element or, if there are none, the shape of highest rank.
Shape fused_shape(const Types& in);

}  // namespace fovea
