#pragma once

#include "fovea/graph/graph.h"
#include "fovea/ops/window.h"

namespace fovea {

/// How values between pixels are found.
enum class UpsampleMode : uint8_t {
  nearest,  ///< pixel floor(i * in / out)
  linear,   ///< between the two nearest along each axis: bilinear for images
};

/// Other spatial sizes, larger or smaller, by interpolation (PyTorch's rule). Linear takes output i
/// from position (i + 0.5) * in / out - 0.5, at least 0; with `align_corners` from i * (in - 1) /
/// (out - 1), so that the outermost pixels stay where they are.
struct Upsample {
  std::vector<int64_t> output;  ///< one size a spatial axis
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;  ///< of linear

  static constexpr std::string_view name = "upsample";
  static constexpr Traits traits{.layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  std::string attributes() const;
};

/// dx of shape `input` from dy, the adjoint map.
struct UpsampleBackward {
  Upsample upsample;
  Shape input;

  static constexpr std::string_view name = "upsample_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
  std::string attributes() const;
};

/// The two pixels along one axis that an output lies between, and the second one's share.
struct Between {
  int64_t low, high;
  double share;
};
/// Those of output `i`, where an axis of `in` pixels becomes one of `out`.
Between between(const Upsample& op, int64_t i, int64_t in, int64_t out);

struct UpsampleOptions {
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;
};

/// x [N, C, spatial] with each spatial size multiplied by `scale`, one whole number an axis, or one
/// for all: see Upsample. Errors: usage when x has no spatial axes, one is empty, a scale is below
/// 1, or align_corners is asked of nearest.
Tensor upsample(const Tensor& x, const Dims& scale, const UpsampleOptions& options = {});

/// The same to given spatial sizes; it does not smooth before it makes an image smaller. Errors: as
/// upsample, of sizes below 1.
Tensor upsample_to(const Tensor& x, const Dims& size, const UpsampleOptions& options = {});

}  // namespace fovea
