#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

enum class BinaryKind : uint8_t { add, sub, mul, div, maximum, minimum };
/// "add", "sub", "mul", "div", "maximum", "minimum".
std::span<const std::string_view> enum_names(BinaryKind);

/// The result for two numbers. Maximum and minimum are NaN if either is.
double apply(BinaryKind kind, double a, double b);

/// a + b, a - b, a * b, a / b, or the larger or smaller of the two, of values of one shape.
struct Binary {
  BinaryKind kind = BinaryKind::add;

  static void fields(auto& op, auto&& visit) { visit.in_name("kind", op.kind); }

  static constexpr Traits traits{
      .elementwise = true, .layout = LayoutRule::channelwise, .precision = PrecisionRule::as_input};

  std::string_view name() const;  ///< that of the kind
  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// The same for two values whose shapes broadcast: aligned at the last axis, each axis is equal, or
/// 1 or missing in one of them.
struct BroadcastBinary {
  BinaryKind kind = BinaryKind::add;

  static void fields(auto& op, auto&& visit) { visit.in_name("kind", op.kind); }

  static constexpr Traits traits{.layout = LayoutRule::broadcast,
                                 .precision = PrecisionRule::as_input};

  std::string_view name() const;  ///< "broadcast_add", ...
  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// y = scale * x + shift with two fixed numbers.
struct Affine {
  double scale = 1, shift = 0;

  static void fields(auto& op, auto&& visit) {
    visit("scale", op.scale);
    visit("shift", op.shift);
  }

  static constexpr std::string_view name = "affine";
  static constexpr Traits traits{
      .elementwise = true, .layout = LayoutRule::channelwise, .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Sums x over the axes along which `shape` would be broadcast to x's shape: the adjoint of
/// BroadcastTo.
struct SumTo {
  Shape shape;

  static void fields(auto& op, auto&& visit) { visit("shape", op.shape); }

  static constexpr std::string_view name = "sum_to";
  static constexpr Traits traits{.layout = LayoutRule::broadcast};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// The same sums of a * b, two values of one shape, without a * b in memory: the gradient of what
/// was broadcast to be a factor.
struct SumOfProducts {
  Shape shape;

  static void fields(auto& op, auto&& visit) { visit("shape", op.shape); }

  static constexpr std::string_view name = "sum_of_products";
  static constexpr Traits traits{.layout = LayoutRule::broadcast};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// y = x * scale + shift, where scale and shift broadcast to x's shape (torch.addcmul).
struct MultiplyAdd {
  static constexpr std::string_view name = "multiply_add";
  static constexpr Traits traits{.layout = LayoutRule::broadcast,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Repeats x along the axes of `shape` in which x has size 1 or is missing.
struct BroadcastTo {
  Shape shape;

  static void fields(auto& op, auto&& visit) { visit("shape", op.shape); }

  static constexpr std::string_view name = "broadcast_to";
  static constexpr Traits traits{.layout = LayoutRule::broadcast,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// x + 1 for i64: BatchNorm's batch counter.
struct Increment {
  static constexpr std::string_view name = "increment";
  static constexpr Traits traits{.differentiable = false, .elementwise = true};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The shape that two values broadcast to. Errors: usage, naming `op`, when they do not.
Shape broadcast_shape(std::string_view op, const Type& a, const Type& b);

/// Two values of one float type, element by element; shapes broadcast as NumPy's do. Errors: usage
/// when dtypes differ, are integers, or shapes do not broadcast.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);

/// With a number, converted to the tensor's dtype. Errors: usage for integer tensors.
Tensor operator+(const Tensor& x, double c);
Tensor operator+(double c, const Tensor& x);
Tensor operator-(const Tensor& x, double c);
Tensor operator-(double c, const Tensor& x);
Tensor operator*(const Tensor& x, double c);
Tensor operator*(double c, const Tensor& x);
Tensor operator/(const Tensor& x, double c);
Tensor operator-(const Tensor& x);

/// The larger or the smaller of two, NaN where either is NaN; shapes broadcast. Where both are
/// equal, the gradient goes to b. Errors: as operator+.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& x, double c);
Tensor minimum(const Tensor& x, double c);

/// Sums the axes along which `shape` would broadcast to x's shape; x itself when it has that shape.
/// Errors: usage when it would not.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// The same sums of a * b. Errors: usage when their types differ, or as sum_to.
Tensor sum_of_products(const Tensor& a, const Tensor& b, const Shape& shape);
/// x * scale + shift; both broadcast to x. Errors: usage when they do not, or their dtypes differ.
Tensor multiply_add(const Tensor& x, const Tensor& scale, const Tensor& shift);
/// x repeated to `shape`; x itself when it has that shape. Errors: usage when x does not broadcast
/// to it.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// The sum and the mean of all elements: a scalar, shape {}. The mean of no elements is NaN.
/// Errors: usage for integers.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);

/// i64 x + 1, not differentiable. Errors: usage for other dtypes.
Tensor increment(const Tensor& x);

}  // namespace fovea
