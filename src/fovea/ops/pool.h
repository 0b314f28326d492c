#pragma once

#include <optional>

#include "fovea/graph/graph.h"
#include "fovea/ops/window.h"

namespace fovea {

/// Where pooling windows lie over 1 to 3 spatial axes: one number per axis.
struct PoolGeometry {
  std::vector<int64_t> kernel, stride, padding_begin, padding_end, dilation;
  bool ceil_mode = false;  ///< round output sizes up (see WindowAxis)

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("kernel", op.kernel);
    visit.per_axis("stride", op.stride);
    visit.per_axis("padding", op.padding_begin);
    visit.per_axis("padding_end", op.padding_end, op.padding_begin);
    visit.per_axis("dilation", op.dilation, std::vector<int64_t>(op.kernel.size(), 1));
    visit("ceil_mode", op.ceil_mode, false);
  }

  std::vector<WindowAxis> axes() const;
  std::optional<Window> window() const;
};

/// The largest value of each window. Padding is -inf, so never chosen; NaN counts as largest.
struct MaxPool : PoolGeometry {
  static constexpr std::string_view name = "max_pool";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx: inputs x, y, dy. Each dy goes to the window's largest element, the first in row-major order
/// of equal ones.
struct MaxPoolBackward : PoolGeometry {
  static constexpr std::string_view name = "max_pool_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// MaxPool with a second output, i64: the index of each maximum in its channel, in plain order (h *
/// W + w).
struct MaxPoolIndices : PoolGeometry {
  static constexpr std::string_view name = "max_pool_indices";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// The mean of each window. With `count_include_pad`, padding counts as zeros, else it is excluded;
/// what ceil_mode adds beyond the padding never counts.
struct AvgPool : PoolGeometry {
  bool count_include_pad = true;

  static void fields(auto& op, auto&& visit) {
    PoolGeometry::fields(op, visit);
    visit("count_include_pad", op.count_include_pad, true);
  }

  static constexpr std::string_view name = "avg_pool";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx of shape `input` from dy.
struct AvgPoolBackward : PoolGeometry {
  bool count_include_pad = true;
  Shape input;

  static void fields(auto& op, auto&& visit) {
    AvgPool::fields(op, visit);
    visit("input", op.input);
  }

  static constexpr std::string_view name = "avg_pool_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The inputs [begin, end) that output `i` of `out` averages: from floor(i * in
/// / out) to ceil((i + 1) * in / out). Bins overlap when out does not divide in.
struct Bin {
  int64_t begin, end;
};
inline Bin adaptive_bin(int64_t i, int64_t in, int64_t out) {
  return {i * in / out, ((i + 1) * in + out - 1) / out};
}

/// The mean of each bin; `output` is the number of bins per spatial axis.
struct AdaptiveAvgPool {
  std::vector<int64_t> output;

  static void fields(auto& op, auto&& visit) { visit.per_axis("output", op.output); }

  static constexpr std::string_view name = "adaptive_avg_pool";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx of shape `input` from dy.
struct AdaptiveAvgPoolBackward {
  Shape input;

  static void fields(auto& op, auto&& visit) { visit("input", op.input); }

  static constexpr std::string_view name = "adaptive_avg_pool_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The largest value of each bin, NaN counting as largest; `output` is the number of bins per
/// spatial axis.
struct AdaptiveMaxPool {
  std::vector<int64_t> output;

  static void fields(auto& op, auto&& visit) { visit.per_axis("output", op.output); }

  static constexpr std::string_view name = "adaptive_max_pool";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx: inputs x, dy. Each dy goes to the bin's largest element, the first of equal ones.
struct AdaptiveMaxPoolBackward {
  static constexpr std::string_view name = "adaptive_max_pool_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// Puts pooled values back: inputs x and indices i64 of x's shape; the output, of spatial shape
/// `output`, is 0 elsewhere. When an index is repeated, the last value is kept.
struct MaxUnpool {
  Shape output;

  static void fields(auto& op, auto&& visit) { visit("output", op.output); }

  static constexpr std::string_view name = "max_unpool";
  static constexpr Traits traits{
      .checks_data = true, .layout = LayoutRule::channelwise, .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  /// Errors: data, for an index outside the channel.
  void reference(const Views& v) const;
};

/// dx: inputs indices, dy.
struct MaxUnpoolBackward {
  static constexpr std::string_view name = "max_unpool_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// PyTorch's names and defaults; one number per axis, or one for all.
struct PoolOptions {
  Dims kernel;
  std::optional<Dims> stride = std::nullopt;  ///< the kernel by default
  Dims padding = 0;                           ///< at most half the window's extent
  Dims dilation = 1;
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< of avg_pool
};

/// x [N, C, spatial] with 1 to 3 spatial axes gives [N, C, spatial'], with a convolution's output
/// sizes (rounded up with ceil_mode). Errors: usage when the window is larger than the padded
/// input, the padding more than half the window, or a window contains only padding.
Tensor max_pool(const Tensor& x, const PoolOptions& options);
Tensor avg_pool(const Tensor& x, const PoolOptions& options);

/// The same for images, x [N, C, H, W]. Errors: also usage when x has a different rank.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options);
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options);

/// {max_pool(x), indices}: i64 of the same shape, the index of each maximum in its channel, in
/// plain order (h * W + w). Errors: as max_pool.
Tensors max_pool_with_indices(const Tensor& x, const PoolOptions& options);

/// The reverse of max_pool_with_indices: x and indices [N, C, spatial'] give
/// [N, C, spatial] with each value at its index and 0 elsewhere; when
/// overlapping windows repeat an index, the last value is kept and gets the
/// gradient. `spatial` is the shape before pooling. Errors: usage when types
/// or shapes do not fit; when run, data for an index outside the channel.
Tensor max_unpool(const Tensor& x, const Tensor& indices, const Shape& spatial);

/// x [N, C, spatial] gives [N, C, output]: means or maxima over bins of nearly equal size (see
/// Bin), one output size per spatial axis, or one for all. Errors: usage when x has no spatial
/// axes, an axis without elements, or an output size is below 1.
Tensor adaptive_avg_pool(const Tensor& x, const Dims& output);
Tensor adaptive_max_pool(const Tensor& x, const Dims& output);

/// The same for images, x [N, C, H, W]. Errors: also usage when x has a different rank.
Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& output);
Tensor adaptive_max_pool2d(const Tensor& x, const Dims& output);

/// x [N, C, spatial] gives the mean or maximum of each channel, [N, C, 1, ...]. Errors: as
/// adaptive_avg_pool.
Tensor global_avg_pool(const Tensor& x);
Tensor global_max_pool(const Tensor& x);

}  // namespace fovea
