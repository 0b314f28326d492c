#pragma once

#include "fovea/ops/epilogue.h"

namespace fovea {

/// y[..., o] = bias[o] + sum over i of x[..., i] * weight[o, i]. Inputs: x [..., I], weight [O, I],
/// bias [O] when `bias`, and for each residual of the epilogue a value of y's type; outputs y [...,
/// O] and, when `sums`, what the epilogue was applied to. x, weight and y have the same float type,
/// the bias its accumulate_dtype.
struct Linear {
  bool bias = false;
  Epilogue epilogue = {};
  bool sums = false;

  static void fields(auto& op, auto&& visit) {
    visit("bias", op.bias, false);
    Epilogue::fields(op.epilogue, visit);
    visit("sums", op.sums, false);
  }

  static constexpr std::string_view name = "linear";
  static constexpr Traits traits{.precision = PrecisionRule::narrow};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
  bool keeps_wide(size_t input) const { return bias && input == 2; }
};

/// y = a' b', a' being a or its transpose in the last two axes, b' likewise: [..., M, K] with [...,
/// K, N] gives [..., M, N]; the leading axes are the same in both. `wide_result`: y has
/// accumulate_dtype, for bf16 operands the unrounded f32 sums, as gradients of weights need. With
/// `sums`, which needs transpose_a and two axes, output 1 is the sum over the rows of a, [M] in
/// accumulate_dtype: the gradient of a bias.
///
/// With `slope`, an activation f, the product is the gradient of f(u), and y that of u: input 2 is
/// u of y's type, y = a' b' f'(u); with `value`, output 1 is f(u). Only passes set it, after
/// gradients are taken.
struct MatMul {
  bool transpose_a = false, transpose_b = false, wide_result = false, sums = false;
  std::optional<UnaryKind> slope = {};
  double alpha = 0;  ///< of the activation
  bool value = false;

  static void fields(auto& op, auto&& visit) {
    visit("transpose_a", op.transpose_a, false);
    visit("transpose_b", op.transpose_b, false);
    visit("wide_result", op.wide_result, false);
    visit("sums", op.sums, false);
    visit("slope", op.slope, std::nullopt);
    visit("alpha", op.alpha, 0.0);
    visit("value", op.value, false);
  }

  static constexpr std::string_view name = "matmul";
  static constexpr Traits traits{.precision = PrecisionRule::narrow};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

/// x [..., I] with weight [O, I] of one float type and an optional bias [O] of accumulate_dtype
/// give [..., O]. Errors: usage when features, bias or types do not fit.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// The matrix product of a [..., M, K] and b [..., K, N] of one float type, leading axes equal.
/// Errors: usage when they do not fit.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace fovea
