#pragma once

#include "fovea/graph/graph.h"
#include "fovea/ops/window.h"

namespace fovea {

/// How values between pixels are interpolated.
enum class UpsampleMode : uint8_t {
  nearest,  ///< pixel floor(i * in / out)
  linear,   ///< linear between the two nearest along each axis: bilinear for images
};

std::span<const std::string_view> enum_names(UpsampleMode);  ///< "nearest", "linear"

/// Resizes the spatial axes, up or down, by interpolation (PyTorch's rule). With s the step between
/// outputs in input pixels, nearest takes output i from pixel floor(i * s), linear from position (i
/// + 0.5) * s - 0.5, at least 0; with `align_corners`, s is (in - 1) / (out - 1) and the position
/// is i * s, so that the corner pixels stay in place.
struct Upsample {
  std::vector<int64_t> output;  ///< one size per spatial axis
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;  ///< linear only
  /// s is 1 / scale, one per spatial axis; it is in / out when empty, or when an axis keeps its
  /// size or, for nearest, doubles it.
  std::vector<double> scale = {};

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("output", op.output);
    visit("mode", op.mode);
    visit("align_corners", op.align_corners, false);
    visit("scale", op.scale, std::vector<double>{});
  }

  static constexpr std::string_view name = "upsample";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx of shape `input` from dy, the adjoint map.
struct UpsampleBackward {
  Upsample upsample;
  Shape input;

  static void fields(auto& op, auto&& visit) {
    Upsample::fields(op.upsample, visit);
    visit("input", op.input);
  }

  static constexpr std::string_view name = "upsample_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// The two pixels along one axis that an output lies between, and the weight of the second.
struct Between {
  int64_t low, high;
  double share;
};
/// Those of output `i` along spatial axis `axis`, which has `in` pixels in the input.
Between between(const Upsample& op, size_t axis, int64_t i, int64_t in);

struct UpsampleOptions {
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;
  /// For fractional scales: the step is in / out,
  /// from the rounded sizes, instead of 1 / scale.
  bool recompute_scale_factor = false;
};

/// x [N, C, spatial] with each spatial size multiplied by `scale`, one number per axis, or one for
/// all, and rounded down: see Upsample. Errors: usage when x has no spatial axes, one is empty, a
/// scale is not above 0 or leaves no pixel, or align_corners is combined with nearest.
Tensor upsample(const Tensor& x, const Factors& scale, const UpsampleOptions& options = {});

/// The same to given spatial sizes; it does not antialias when it makes an image smaller. Errors:
/// as upsample, and for sizes below 1.
Tensor upsample_to(const Tensor& x, const Dims& size, const UpsampleOptions& options = {});

}  // namespace fovea
