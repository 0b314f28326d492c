#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/graph/op.h"

namespace fovea {

/// One number per spatial axis, outermost first; a single number applies to every axis: `3` or `{3,
/// 5}`.
template <class Number>
class PerAxis {
 public:
  PerAxis(Number all) : values_{all} {}  // NOLINT: implicit, so that {.stride = 2} reads well
  PerAxis(std::initializer_list<Number> values) : values_(values) {}
  explicit PerAxis(std::vector<Number> values) : values_(std::move(values)) {}

  /// The numbers for `axes` axes. Errors: usage,
  /// naming `what`, when a different count was given.
  std::vector<Number> expand(int axes, std::string_view op, std::string_view what) const;

 private:
  std::vector<Number> values_;
};

using Dims = PerAxis<int64_t>;    ///< sizes, strides, ...
using Factors = PerAxis<double>;  ///< multipliers of sizes

/// Output size of a sliding window along one axis, with floor:
///     (input + padding_begin + padding_end - dilation * (kernel - 1) - 1) / stride + 1
/// and 0 or less when the window does not fit. With `ceil`, rounded up, but a window that would
/// start in the padding after the input is dropped (PyTorch's ceil_mode).
struct WindowAxis {
  int64_t kernel = 1, stride = 1, dilation = 1, padding_begin = 0, padding_end = 0;
  bool ceil = false;
};
int64_t output_size(int64_t input, const WindowAxis& axis);

/// The window's extent along one axis: dilation * (kernel - 1) + 1.
inline int64_t extent(const WindowAxis& axis) { return axis.dilation * (axis.kernel - 1) + 1; }

/// Padding of the spatial axes: numbers (`1`, or `{1, 2}`, one per axis, applied to both sides),
/// pairs (`{{0, 1}, {2, 2}}`, before and after each axis), or, for convolutions, a name:
///   "valid"  nothing;
///   "same"   for ceil(input / stride) outputs: of an odd total the extra one is at the end, the
///            bottom and right (Keras's rule, also for even kernels and strides above 1);
///   "full"   the window's extent - 1 on both sides: every window that overlaps the input.
class Padding {
 public:
  using Pair = std::pair<int64_t, int64_t>;
  /// One number per spatial axis.
  struct Sides {
    std::vector<int64_t> begin, end;
  };

  Padding(int64_t all) : Padding(Dims(all)) {}  // NOLINT: implicit, as Dims
  Padding(std::initializer_list<int64_t> axes) : Padding(Dims(axes)) {}
  Padding(std::initializer_list<Pair> axes) : Padding(std::span(axes.begin(), axes.size())) {}
  Padding(std::span<const Pair> axes);                     // NOLINT
  Padding(const Dims& both) : begin_(both), end_(both) {}  // NOLINT
  template <std::convertible_to<std::string_view> Name>
  Padding(const Name& name) : name_(name) {}  // NOLINT: implicit, so that "same" is a padding

  /// The given numbers. Errors: usage, naming `op`, when there are not `axes` of them, or a name
  /// was given.
  Sides sides(int axes, std::string_view op) const;
  /// The same, also for names: of these windows (ignoring their padding) over a value of this
  /// spatial shape. Errors: as above; usage for an unknown name, listing the known ones.
  Sides sides(const Shape& spatial, const std::vector<WindowAxis>& windows,
              std::string_view op) const;

 private:
  Dims begin_ = 0, end_ = 0;
  std::string name_;  ///< "" when numbers were given
};

/// Errors: usage, naming `op`, when a stride, dilation or kernel is below 1, a padding below 0, or
/// one of them above 2^31.
void require_window(std::string_view op, const WindowAxis& axis);

/// Output sizes of all axes. Errors: usage when a window is larger than its padded input, naming op
/// and both sizes; and as require_window.
Shape output_sizes(std::string_view op, const Type& input, const std::vector<WindowAxis>& axes);

/// A row-major counter over `sizes`: advances `index` to the next position; false after the last.
bool next_index(std::vector<int64_t>& index, const std::vector<int64_t>& sizes);

}  // namespace fovea
