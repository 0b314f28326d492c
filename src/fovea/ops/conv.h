#pragma once

#include <optional>

#include "fovea/graph/graph.h"
#include "fovea/ops/epilogue.h"
#include "fovea/ops/pad.h"

namespace fovea {

/// The geometry of a convolution: stride, dilation and padding before and after, per spatial axis,
/// and the number of channel groups.
struct ConvGeometry {
  std::vector<int64_t> stride, dilation, padding_begin, padding_end;
  int64_t groups = 1;

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("stride", op.stride);
    visit.per_axis("padding", op.padding_begin);
    visit.per_axis("padding_end", op.padding_end, op.padding_begin);
    visit.per_axis("dilation", op.dilation, std::vector<int64_t>(op.stride.size(), 1));
    visit("groups", op.groups, 1);
  }

  /// One WindowAxis per spatial axis of this weight.
  std::vector<WindowAxis> axes(const Shape& weight) const;
  bool operator==(const ConvGeometry&) const = default;
};

/// Convolution as CNNs define it, that is, cross-correlation (the kernel is not flipped):
///     y[n, o, p] = bias[o] + sum over c, k of x[n, c, p * stride + k * dilation - padding_begin] *
///     weight[o, c, k]
/// over 1 to 3 spatial axes; outside the input x is 0. Inputs: x [N, C,
/// spatial], weight [O, C/groups, kernel], bias [O] when `bias`, and for each
/// residual of the epilogue a value of y's type. x, weight and y have the same
/// float type, the bias its accumulate_dtype.
struct Conv {
  ConvGeometry geometry;
  Shape kernel;  ///< spatial shape of the weight
  bool bias = false;
  Epilogue epilogue = {};

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("kernel", op.kernel);
    ConvGeometry::fields(op.geometry, visit);
    visit("bias", op.bias, false);
    Epilogue::fields(op.epilogue, visit);
  }

  static constexpr std::string_view name = "conv";
  static constexpr Traits traits{.layout = LayoutRule::convolution,
                                 .precision = PrecisionRule::narrow};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
  std::optional<Window> window() const;
  bool keeps_wide(size_t input) const { return bias && input == 2; }
};

/// dx of a convolution, the adjoint map, which is also transposed convolution:
/// inputs weight [O, C/groups, kernel] and dy [N, O, spatial']; output of
/// shape `input` ([N, C, spatial]), which the convolution maps to dy's shape.
struct ConvBackwardData {
  ConvGeometry geometry;
  Shape input;

  static void fields(auto& op, auto&& visit) {
    ConvGeometry::fields(op.geometry, visit);
    visit("input", op.input);
  }

  static constexpr std::string_view name = "conv_backward_data";
  static constexpr Traits traits{.layout = LayoutRule::convolution,
                                 .precision = PrecisionRule::narrow};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

/// dweight (and dbias when `bias`) of a convolution: inputs x, dy of one float type; outputs of
/// shape `weight` and [O] in accumulate_dtype: for bf16 inputs the unrounded f32 sums.
struct ConvBackwardWeights {
  ConvGeometry geometry;
  Shape weight;
  bool bias = false;

  static void fields(auto& op, auto&& visit) {
    ConvGeometry::fields(op.geometry, visit);
    visit("weight", op.weight);
    visit("bias", op.bias, false);
  }

  static constexpr std::string_view name = "conv_backward_weights";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::convolution};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

/// Options of a convolution, PyTorch's names and defaults; one number per axis, or one for all.
struct ConvOptions {
  Dims stride = 1;
  Padding padding = 0;  ///< numbers, pairs, "valid", "same" or "full"
  Dims dilation = 1;
  int64_t groups = 1;
  PadMode padding_mode = PadMode::constant;
  double padding_value = 0;  ///< of PadMode::constant
};

/// x [N, C, spatial] with weight [O, C/groups, kernel] of x's float type and an optional bias [O]
/// of accumulate_dtype gives [N, O, spatial'], where spatial' = floor((spatial + 2 padding -
/// dilation (kernel - 1) - 1) / stride) + 1; with "same" padding it is ceil(spatial / stride). x
/// has 1 to 3 spatial axes. Errors: usage when ranks, channels, groups or bias do not fit, the
/// kernel is larger than the padded input, or the padding's name or mode is not possible (see
/// pad.h).
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
            const ConvOptions& options = {});

/// `conv` for images, x [N, C, H, W]. Errors: as conv; usage when x has a different rank.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});

/// PyTorch's names and defaults; one number per axis, or one for all.
struct ConvTransposeOptions {
  Dims stride = 1;
  Dims padding = 0;         ///< that of the convolution it reverses: cropped from the output
  Dims output_padding = 0;  ///< rows added at the output's end, fewer than stride or dilation
  Dims dilation = 1;
  int64_t groups = 1;
};

/// The adjoint of a convolution, which spreads each input pixel over a window of the
/// output: x [N, I, spatial] with weight [I, O/groups, kernel] and an optional bias [O],
/// types as in `conv`, gives [N, O, spatial'], where spatial' = (spatial - 1) stride - 2
/// padding + dilation (kernel - 1) + output_padding + 1. Errors: usage when ranks, types,
/// channels, groups or bias do not fit, a spatial axis of x is empty, output_padding is
/// below neither stride nor dilation, or padding crops the entire output.
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      const ConvTransposeOptions& options = {});

/// `conv_transpose` for images, x [N, I, H, W]. Errors: also usage when x has a different rank.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});

}  // namespace fovea
