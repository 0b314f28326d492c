#pragma once

#include <optional>

#include "fovea/graph/graph.h"
#include "fovea/ops/activation.h"

namespace fovea {

/// What follows a batch norm in the same pass over memory: the addition of a residual, then an
/// activation, then a max-pool. Set by the fuse pass, before gradients are taken.
struct NormEpilogue {
  bool residual = false;
  std::optional<UnaryKind> activation = {};
  double alpha = 0;  ///< of the activation
  /// The side of square windows that tile each image, of which the largest value is kept, as by
  /// MaxPool; 0: no pool. Not together with a residual.
  int64_t pool = 0;

  static void fields(auto& op, auto&& visit) {
    visit("residual", op.residual, false);
    visit("activation", op.activation, std::nullopt);
    visit("alpha", op.alpha, 0.0);
    visit("pool", op.pool, int64_t{0});
  }

  /// The type of y for an x of this one. Errors: internal unless windows tile the images.
  Type result(const Type& x) const;
  /// Whether the gradient computes again from x what followed the norm.
  bool selects() const { return activation.has_value() || pool > 0; }
};

/// Whether windows of that side tile the images of x [N, C, H, W].
bool tiles(const Type& x, int64_t side);

/// Whether kernels of norms have this activation in their epilogue.
bool follows_norm(UnaryKind kind);

/// Batch norm in training: each channel is normalised by its own mean and (biased) variance over
/// the batch and all spatial positions,
///     y = pool(activation((x - mean) * scale + beta + residual)),  scale = gamma / sqrt(var + eps)
/// Inputs: x [N, C] or [N, C, spatial]; gamma, beta, running_mean, running_var [C]; and, last, a
/// residual of x's type if the epilogue has one. Outputs: y, mean [C], rstd [C] = 1 / sqrt(var +
/// eps), the new running statistics (1 - momentum) * old + momentum * batch's, with unbiased
/// variance, and scale [C]. y has x's float type, all [C] its accumulate_dtype.
struct BatchNorm {
  double eps = 1e-5, momentum = 0.1;
  NormEpilogue epilogue = {};

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    visit("momentum", op.momentum);
    NormEpilogue::fields(op.epilogue, visit);
  }

  static constexpr std::string_view name = "batch_norm";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  bool keeps_wide(size_t input) const { return input >= 1 && input <= 4; }  ///< [C]
};

/// The statistics of a BatchNorm without its y, which other ops compute from them as they need it.
/// Inputs x, or if a count is given the mean and biased variance of so many values per channel,
/// then gamma, running_mean, running_var; outputs BatchNorm's from the second on.
struct BatchNormStatistics {
  double eps = 1e-5, momentum = 0.1;
  int64_t count = 0;

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    visit("momentum", op.momentum);
    visit("count", op.count, int64_t{0});
  }

  static constexpr std::string_view name = "batch_norm_statistics";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// y of a BatchNorm from its statistics, once more or for the first time: the same bits. Inputs x,
/// mean, scale, beta, and, last, the residual.
struct BatchNormAgain {
  NormEpilogue epilogue = {};

  static void fields(auto& op, auto&& visit) { NormEpilogue::fields(op.epilogue, visit); }

  static constexpr std::string_view name = "batch_norm_again";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// Inputs x, gamma, mean, rstd, then if there is an activation or a pool scale, beta and the
/// residual, if there is one, and dy; outputs dx, dgamma, dbeta, then dresidual if there is a
/// residual. What the activation was applied to is computed again from x.
struct BatchNormBackward {
  NormEpilogue epilogue = {};

  static void fields(auto& op, auto&& visit) { NormEpilogue::fields(op.epilogue, visit); }

  static constexpr std::string_view name = "batch_norm_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// Batch norm with fixed statistics: inputs x, gamma, beta, mean, var (and, last, a residual if the
/// epilogue has one); output y = activation(gamma * (x - mean) / sqrt(var + eps) + beta +
/// residual). Gradients for x, gamma and beta; it only has an epilogue when none is needed.
struct BatchNormEval {
  double eps = 1e-5;
  NormEpilogue epilogue = {};

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    NormEpilogue::fields(op.epilogue, visit);
  }

  static constexpr std::string_view name = "batch_norm_eval";
  static constexpr Traits traits{.layout = LayoutRule::channelwise,
                                 .precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  bool keeps_wide(size_t input) const { return input >= 1 && input <= 4; }  ///< [C]
};

/// Inputs x, gamma, mean, var, dy; outputs dx, dgamma, dbeta, for fixed statistics.
struct BatchNormEvalBackward {
  double eps = 1e-5;

  static void fields(auto& op, auto&& visit) { visit("eps", op.eps); }

  static constexpr std::string_view name = "batch_norm_eval_backward";
  static constexpr Traits traits{.differentiable = false, .layout = LayoutRule::channelwise};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// Layer norm: each slice over the last `axes` axes is normalised by its own mean and biased
/// variance. Inputs x, gamma, beta (of the last axes' shape); outputs y, mean, rstd (of the leading
/// axes' shape). y has x's float type, the others its accumulate_dtype.
struct LayerNorm {
  int axes = 1;
  double eps = 1e-5;

  static void fields(auto& op, auto&& visit) {
    visit("axes", op.axes);
    visit("eps", op.eps);
  }

  static constexpr std::string_view name = "layer_norm";
  static constexpr Traits traits{.precision = PrecisionRule::as_input};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
  bool keeps_wide(size_t input) const { return input >= 1; }  ///< gamma and beta
};

/// Inputs x, gamma, mean, rstd, dy; outputs dx, dgamma, dbeta.
struct LayerNormBackward {
  static constexpr std::string_view name = "layer_norm_backward";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// PyTorch's names and defaults: `momentum` is the weight of the new batch (Keras's 0.99 is 0.01
/// here).
struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
};

/// In a train graph uses batch statistics and returns {y, new running mean, new running variance};
/// in an eval graph uses the running ones and returns {y}. x [N, C] or [N, C, spatial] of a float
/// type, the others [C] of its accumulate_dtype, as in all norms. Gamma and beta may be omitted,
/// also from layer norms: they are then 1 and 0. Errors: usage when shapes or types do not fit, or
/// a channel has fewer than two values in training.
Tensors batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                   const Tensor& running_mean, const Tensor& running_var,
                   const BatchNormOptions& options = {});

/// x normalised with the given statistics in either mode of the graph: a frozen norm. Errors: as
/// batch_norm.
Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                       const Tensor& var, double eps = 1e-5);

/// Normalises over the last `axes` axes (at least 1) of x; gamma and beta have their shape. Errors:
/// usage when shapes or types do not fit, or those axes have no elements.
Tensor layer_norm(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {}, int axes = 1,
                  double eps = 1e-5);

/// Layer norm over the channels of each pixel of x [N, C, spatial], as in ConvNeXt; gamma
/// and beta [C]. Errors: usage when x has no spatial axes, shapes or types do not fit.
Tensor layer_norm_channels(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {},
                           double eps = 1e-6);

/// Normalises the channels of each sample, in `groups` contiguous groups, by the mean and biased
/// variance of the group over its channels and pixels; then * gamma + beta, each [C] or omitted. x
/// [N, C] or [N, C, spatial]. Errors: usage when groups does not divide C, a group has no elements,
/// shapes or types do not fit.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma = {},
                  const Tensor& beta = {}, double eps = 1e-5);

/// Group norm with one channel per group: each channel of each sample has its own statistics.
/// Errors: as group_norm.
Tensor instance_norm(const Tensor& x, const Tensor& gamma = {}, const Tensor& beta = {},
                     double eps = 1e-5);

/// Global response normalisation (ConvNeXt V2) of x [N, C, spatial]: with G the L2 norm of each
/// channel over its pixels, and its share n = G / (mean of G over the channels + eps),
///     y = gamma * x * n + beta + x
/// gamma and beta [C]. Errors: usage when x has no spatial axes, shapes or types do not fit.
Tensor global_response_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                            double eps = 1e-6);

/// x [N, C, ...] times one factor per channel, gamma [C]: ConvNeXt's layer scale. Errors: usage
/// when shapes or types do not fit.
Tensor layer_scale(const Tensor& x, const Tensor& gamma);

}  // namespace fovea
