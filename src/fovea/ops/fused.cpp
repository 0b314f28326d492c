#include "fovea/ops/fused.h"

#include <algorithm>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"

namespace fovea {
namespace {

constexpr size_t numbers_each = 4;  // in `code`

/// Errors: internal when an instruction is invalid, or reads an operand before it is computed.
void check_instructions(const FusedElementwise& op) {
  require(op.code.size() % numbers_each == 0, "fused_elementwise has part of an instruction");
  const auto constants = static_cast<int64_t>(op.constants.size());
  int64_t known = op.inputs;
  for (const FusedInstruction& i : op.instructions()) {
    require(static_cast<size_t>(i.kind) < enum_names(i.kind).size() &&
                (i.kind != FusedKind::unary || (i.b >= 0 && i.b < unary_kinds && i.c < 0)),
            "fused_elementwise has an unknown instruction");
    require(
        std::ranges::all_of(i.operands(), [&](int64_t o) { return o >= -constants && o < known; }),
        "fused_elementwise uses an operand before it is computed");
    ++known;
  }
  int64_t previous = op.inputs - 1;
  for (const int64_t result : op.results) {
    require(result > previous && result < known,
            "the results of fused_elementwise are not distinct instructions in order");
    previous = result;
  }
}

}  // namespace

std::span<const std::string_view> enum_names(FusedKind) {
  static constexpr std::string_view names[] = {
      "add",  "sub", "mul", "div", "maximum", "minimum", "mul_add", "mul_sub", "negative_mul_add",
      "unary"};
  return names;
}

std::vector<int64_t> FusedInstruction::operands() const {
  switch (kind) {
    case FusedKind::mul_add:
    case FusedKind::mul_sub:
    case FusedKind::negative_mul_add:
      return {a, b, c};
    case FusedKind::unary:
      return {a, c};
    default:
      return {a, b};
  }
}

std::vector<FusedInstruction> FusedElementwise::instructions() const {
  std::vector<FusedInstruction> list;
  for (size_t i = 0; i + numbers_each <= code.size(); i += numbers_each)
    list.push_back({static_cast<FusedKind>(code[i]), code[i + 1], code[i + 2], code[i + 3]});
  return list;
}

double FusedElementwise::compute(const FusedInstruction& i,
                                 std::span<const double> operands) const {
  const auto value = [&](int64_t operand) {
    return operand < 0 ? constants[static_cast<size_t>(-1 - operand)]
                       : operands[static_cast<size_t>(operand)];
  };
  switch (i.kind) {
    case FusedKind::mul_add:
      return value(i.a) * value(i.b) + value(i.c);
    case FusedKind::mul_sub:
      return value(i.a) * value(i.b) - value(i.c);
    case FusedKind::negative_mul_add:
      return value(i.c) - value(i.a) * value(i.b);
    case FusedKind::unary:
      return unary_rule(static_cast<UnaryKind>(i.b)).f(value(i.a), value(i.c));
    default:  // in the order of BinaryKind
      return apply(static_cast<BinaryKind>(i.kind), value(i.a), value(i.b));
  }
}

void FusedElementwise::append(const FusedInstruction& i) {
  code.insert(code.end(), {static_cast<int64_t>(i.kind), i.a, i.b, i.c});
}

Shape fused_shape(const Types& in) {
  Shape shape;
  bool elements = false;  // other than one
  for (const Type& type : in) {
    const bool scalar = type.numel() == 1;
    require(scalar || !elements || type.shape == shape,
            "fused_elementwise has inputs of different shapes");
    if (!scalar || (!elements && type.rank() > shape.rank())) shape = type.shape;
    elements = elements || !scalar;
  }
  return shape;
}

Types FusedElementwise::infer(const Types& in) const {
  require_inputs(name, in, static_cast<size_t>(inputs));
  for (const Type& type : in) require_float(name, "input", type);
  check_instructions(*this);
  return Types(results.size(), Type{dtype, fused_shape(in)});
}

double FusedElementwise::flops(const Types&, const Types& out) const {
  return out.empty() ? 0
                     : static_cast<double>(out[0].numel()) *
                           static_cast<double>(code.size() / numbers_each);
}

void FusedElementwise::reference(const Views& v) const {
  const std::vector<FusedInstruction> list = instructions();
  std::vector<double> operands(v.in.size() + list.size());
  for (int64_t i = 0; !v.out.empty() && i < v.out[0].numel(); ++i) {
    for (size_t k = 0; k < v.in.size(); ++k) operands[k] = v.in[k][v.in[k].numel() == 1 ? 0 : i];
    for (size_t k = 0; k < list.size(); ++k) operands[v.in.size() + k] = compute(list[k], operands);
    for (size_t k = 0; k < results.size(); ++k)
      v.out[k][i] = operands[static_cast<size_t>(results[k])];
  }
}

}  // namespace fovea
