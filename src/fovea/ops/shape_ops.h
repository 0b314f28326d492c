#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// The same elements, in row-major order, with another shape.
struct Reshape {
  Shape shape;

  static void fields(auto& op, auto&& visit) { visit("shape", op.shape); }

  static constexpr std::string_view name = "reshape";
  static constexpr Traits traits{.view = true, .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Axis i of the output is axis axes[i] of the input. A view where that is the layout's order.
struct Permute {
  std::vector<int> axes;

  static void fields(auto& op, auto&& visit) { visit("axes", op.axes); }

  static constexpr std::string_view name = "permute";
  static constexpr Traits traits{.precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Any number of inputs joined along one axis.
struct Concat {
  int axis = 0;

  static void fields(auto& op, auto&& visit) { visit("axis", op.axis); }

  static constexpr std::string_view name = "concat";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Elements [begin, end) along one axis.
struct Slice {
  int axis = 0;
  int64_t begin = 0, end = 0;

  static void fields(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("begin", op.begin);
    visit("end", op.end);
  }

  static constexpr std::string_view name = "slice";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx, `size` long along the axis, from dy: zeros outside the slice.
struct SliceBackward {
  int axis = 0;
  int64_t begin = 0, size = 0;

  static void fields(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("begin", op.begin);
    visit("size", op.size);
  }

  static constexpr std::string_view name = "slice_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The same values in another element type; floats become integers by truncation.
struct Cast {
  DType dtype = DType::f32;

  static void fields(auto& op, auto&& visit) { visit("dtype", op.dtype); }

  static constexpr std::string_view name = "cast";
  static constexpr Traits traits{.elementwise = true, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// x with another shape of the same element count; x itself when it has that shape. Errors: usage
/// when the element counts differ.
Tensor reshape(const Tensor& x, const Shape& shape);

/// Joins all axes from `from` on into one: [N, C, H, W] becomes [N, C * H * W]. Errors: usage when
/// there is no such axis.
Tensor flatten(const Tensor& x, int from = 1);

/// x with its axes reordered: axis i of the result is axis axes[i] of x. Errors: usage when `axes`
/// does not name each axis once.
Tensor permute(const Tensor& x, const std::vector<int>& axes);
/// The axes that move the channels of an N, C, spatial value of this rank to the end: [N, spatial,
/// C]; and those that move them back.
std::vector<int> to_last(int rank);
std::vector<int> from_last(int rank);

/// Whether output 0 of an op on values of these types is input 0's bytes, so that there is nothing
/// to compute: of a view, and of a permutation between layouts in which the elements keep their
/// order.
bool is_view(const Op& op, const Types& in, const Types& out);
bool is_view(const Node& node);

/// Joins values of one dtype along `axis` (negative counts from the end), their only axis that may
/// differ. Errors: usage when there are none, or they do not fit.
Tensor concat(const Tensors& tensors, int axis);

/// Elements [begin, end) along `axis` (negative counts from the
/// end). Errors: usage when 0 <= begin <= end <= size does not hold.
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end);

/// x cut along `axis` (negative counts from the end) into consecutive parts of these sizes. Errors:
/// usage when a size is negative or their sum is not the axis's size.
Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int axis);

/// x in another dtype; x itself when it has it already. Gradients flow between float types only.
Tensor cast(const Tensor& x, DType dtype);

}  // namespace fovea
