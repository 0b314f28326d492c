#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// y[..., o] = bias[o] + sum over i of x[..., i] * weight[o, i]. Inputs: x [..., I], weight [O, I],
/// and bias [O] when `bias`; output [..., O]. x, weight and y have the same float type, the bias
/// its accumulate_dtype.
struct Linear {
  bool bias = false;

  static void fields(auto& op, auto&& visit) { visit("bias", op.bias, false); }

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
/// accumulate_dtype, for bf16 operands the unrounded f32 sums, as gradients of weights need.
struct MatMul {
  bool transpose_a = false, transpose_b = false, wide_result = false;

  static void fields(auto& op, auto&& visit) {
    visit("transpose_a", op.transpose_a, false);
    visit("transpose_b", op.transpose_b, false);
    visit("wide_result", op.wide_result, false);
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
