#pragma once

#include <optional>

#include "fovea/graph/graph.h"

namespace fovea {

/// The loss of log-probabilities over classes, per pixel. Inputs: log-probabilities [N, K,
/// spatial] with at most 3 spatial axes; labels i64 [N, spatial] in [0, K), or targets t of the
/// log-probabilities' type and shape; and w [K] when `weighted` (else 1). With s the smoothing,
/// for labels y
///     (sum of -((1 - s) w[y] log p[y] + s / K * sum over k of w[k] log p[k])) / sum of w[y]
/// and for targets t
///     (sum of -w[k] ((1 - s) t[k] + s / K) log p[k]) / number of pixels
/// Labels equal to `ignore_index` are ignored; if all are, the loss is NaN. Output: a scalar.
/// Targets and weights get no gradient.
struct NegativeLogLikelihood {
  double label_smoothing = 0;
  std::optional<int64_t> ignore_index = std::nullopt;
  bool weighted = false;

  static void fields(auto& op, auto&& visit) {
    visit("label_smoothing", op.label_smoothing, 0);
    visit("ignore_index", op.ignore_index, std::nullopt);
    visit("weighted", op.weighted, false);
  }

  static constexpr std::string_view name = "negative_log_likelihood";
  static constexpr Traits traits{.checks_data = true};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  /// Errors: data, for a label outside [0, K), naming its place and value.
  void reference(const Views& v) const;
};

/// The gradient for the log-probabilities: the forward inputs, then dy (a scalar).
struct NegativeLogLikelihoodBackward {
  NegativeLogLikelihood forward;

  static void fields(auto& op, auto&& visit) { NegativeLogLikelihood::fields(op.forward, visit); }

  static constexpr std::string_view name = "negative_log_likelihood_backward";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

}  // namespace fovea
