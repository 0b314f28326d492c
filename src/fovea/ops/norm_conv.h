#pragma once

#include <optional>

#include "fovea/ops/conv.h"
#include "fovea/ops/norm.h"

namespace fovea {

/// A convolution between batch norms: it applies the one before it, with its activation, to what it
/// reads, whose y need not be stored, and computes the moments of its results for the one after it,
/// or does one of both:
///     y = conv(activation((x - mean) * scale + beta), weight) + bias
/// Outside the input what is convolved is 0. Only the pass `fuse_norm_conv` makes it, for training.
/// Inputs: x, weight, the bias when `bias`, then, when `normalises`, mean, scale, beta [C] of x's
/// accumulate_dtype. Outputs: y and, when `moments`, the mean and the biased variance of each
/// channel of y as it is stored, rounded to its dtype: two values like mean, scale and beta.
struct NormConv {
  ConvGeometry geometry;
  Shape kernel;  ///< spatial shape of the weight
  bool bias = false;
  bool normalises = false;
  std::optional<UnaryKind> activation = {};  ///< only when `normalises`
  double alpha = 0;                          ///< of the activation
  bool moments = false;

  static void fields(auto& op, auto&& visit) {
    visit.per_axis("kernel", op.kernel);
    ConvGeometry::fields(op.geometry, visit);
    visit("bias", op.bias, false);
    visit("normalises", op.normalises, false);
    visit("activation", op.activation, std::nullopt);
    visit("alpha", op.alpha, 0.0);
    visit("moments", op.moments, false);
  }

  static constexpr std::string_view name = "norm_conv";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::convolution};

  Conv conv() const { return {.geometry = geometry, .kernel = kernel, .bias = bias}; }
  BatchNormAgain norm() const { return {{.activation = activation, .alpha = alpha}}; }
  /// The input that is the norm's mean; scale and beta follow.
  size_t mean_input() const { return bias ? 3 : 2; }

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

/// dweight (and dbias when `bias`) of a NormConv: inputs x, dy, mean, scale, beta; outputs as of
/// ConvBackwardWeights.
struct NormConvBackwardWeights {
  ConvGeometry geometry;
  Shape weight;
  bool bias = false;
  std::optional<UnaryKind> activation = {};
  double alpha = 0;  ///< of the activation

  static void fields(auto& op, auto&& visit) {
    ConvGeometry::fields(op.geometry, visit);
    visit("weight", op.weight);
    visit("bias", op.bias, false);
    visit("activation", op.activation, std::nullopt);
    visit("alpha", op.alpha, 0.0);
  }

  static constexpr std::string_view name = "norm_conv_backward_weights";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::convolution};

  ConvBackwardWeights gradient_op() const { return {geometry, weight, bias}; }
  BatchNormAgain norm() const { return {{.activation = activation, .alpha = alpha}}; }
  static constexpr size_t mean_input() { return 2; }

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
  double flops(const Types& in, const Types& out) const;
};

}  // namespace fovea
