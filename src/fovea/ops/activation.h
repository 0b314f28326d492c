#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// Functions of one number that networks use; `unary_rule` defines each.
enum class UnaryKind : uint8_t {
  relu,
  leaky_relu,
  relu6,
  elu,
  gelu,
  gelu_tanh,
  silu,
  sigmoid,
  tanh,
  mish,
  hardsigmoid,
  hardswish,
  exp,
  log,
  sqrt,
  abs,
  sign,
  pow,
};
inline constexpr int unary_kinds = 18;
std::span<const std::string_view> enum_names(UnaryKind);

/// One row of the table of activations: kernels and tests read it too.
struct UnaryRule {
  std::string_view name;
  std::string_view parameter;  ///< what `alpha` is called, "" when the function has none
  double (*f)(double x, double alpha);
  double (*df)(double x, double alpha);  ///< the derivative; at kinks as in PyTorch
};
const UnaryRule& unary_rule(UnaryKind kind);

/// y = f(x), element by element.
struct Unary {
  UnaryKind kind = UnaryKind::relu;
  double alpha = 0;  ///< leaky_relu's slope, elu's scale, pow's base

  static void fields(auto& op, auto&& visit) {
    visit.in_name("kind", op.kind);
    const std::string_view parameter = unary_rule(op.kind).parameter;
    if (!parameter.empty()) visit(parameter, op.alpha);
  }

  static constexpr Traits traits{
      .elementwise = true, .layout = LayoutRule::channelwise, .precision = PrecisionRule::as_input};

  std::string_view name() const { return unary_rule(kind).name; }
  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  bool keeps_wide(size_t input) const;  ///< of exp, log and pow, which leave the range of f16
};

/// dx = dy * f'(x): inputs x, dy.
struct UnaryBackward {
  UnaryKind kind = UnaryKind::relu;
  double alpha = 0;

  static void fields(auto& op, auto&& visit) { Unary::fields(op, visit); }

  static constexpr Traits traits{
      .differentiable = false, .elementwise = true, .layout = LayoutRule::channelwise};

  std::string_view name() const;  ///< "relu_backward"
  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// Each takes a float value of any shape and returns one of the same type. Errors: usage for
/// integer types. NaN propagates.

/// max(x, 0); its derivative at 0 is 0.
Tensor relu(const Tensor& x);
/// x where x > 0, else slope * x.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// min(max(x, 0), 6).
Tensor relu6(const Tensor& x);
/// x where x > 0, else alpha * (exp(x) - 1).
Tensor elu(const Tensor& x, double alpha = 1);
/// x * Phi(x), where Phi is the normal cumulative distribution: exact, using erf.
Tensor gelu(const Tensor& x);
/// The tanh approximation of gelu: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
Tensor gelu_tanh(const Tensor& x);
/// x * sigmoid(x), also called swish.
Tensor silu(const Tensor& x);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// x * tanh(log(1 + exp(x))).
Tensor mish(const Tensor& x);
/// relu6(x + 3) / 6.
Tensor hardsigmoid(const Tensor& x);
/// x * hardsigmoid(x).
Tensor hardswish(const Tensor& x);
Tensor exp(const Tensor& x);
/// Natural logarithm: -inf at 0, NaN below.
Tensor log(const Tensor& x);
/// NaN below 0; its derivative at 0 is infinite.
Tensor sqrt(const Tensor& x);
/// |x|; its derivative at 0 is 0.
Tensor abs(const Tensor& x);
/// 1 where x > 0, -1 where x < 0, else 0; its derivative is 0.
Tensor sign(const Tensor& x);
/// base^x. Errors: also usage when base is not above 0.
Tensor pow(double base, const Tensor& x);

/// x where x > 0, else a learnt slope times x: slope [C] of x's accumulate_dtype, one per channel
/// of x [N, C, ...], or [1]. At 0 its derivatives are 0. Errors: also usage when the slope does not
/// fit.
Tensor prelu(const Tensor& x, const Tensor& slope);

}  // namespace fovea
