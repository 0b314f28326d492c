#pragma once

#include <optional>

#include "fovea/graph/graph.h"

namespace fovea {

/// The mean over N of -sum over k of t[n, k] * log_softmax(logits)[n, k]. Inputs: logits [N, K],
/// and either labels i64[N] in [0, K) (t is 1 at the label) or targets t of the logits' type. With
/// smoothing, t becomes (1 - label_smoothing) * t + label_smoothing / K. Output: a scalar. Targets
/// get no gradient.
struct SoftmaxCrossEntropy {
  double label_smoothing = 0;

  static void fields(auto& op, auto&& visit) { visit("label_smoothing", op.label_smoothing, 0); }

  static constexpr std::string_view name = "softmax_cross_entropy";
  static constexpr Traits traits{.checks_data = true};

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  /// Errors: data, for a label outside [0, K), naming its index and value.
  void reference(const Views& v) const;
};

/// dlogits: inputs logits, labels or targets, dy (a scalar).
struct SoftmaxCrossEntropyBackward {
  double label_smoothing = 0;

  static void fields(auto& op, auto&& visit) { visit("label_smoothing", op.label_smoothing, 0); }

  static constexpr std::string_view name = "softmax_cross_entropy_backward";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// exp(x) / sum of exp(x) along axis 1, or its logarithm when `log`.
struct Softmax {
  bool log = false;

  static void fields(auto& op, auto&& visit) { visit.in_name("log", op.log); }

  std::string_view name() const { return log ? "log_softmax" : "softmax"; }
  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// dx: inputs y (the output), dy.
struct SoftmaxBackward {
  bool log = false;

  static void fields(auto& op, auto&& visit) { visit.in_name("log", op.log); }

  static constexpr Traits traits{.differentiable = false};

  std::string_view name() const { return log ? "log_softmax_backward" : "softmax_backward"; }
  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

struct CrossEntropyOptions {
  double label_smoothing = 0;                          ///< 0 to 1
  Tensor class_weights = {};                           ///< [K], of the logits' type
  std::optional<int64_t> ignore_index = std::nullopt;  ///< a label to ignore
};

/// The mean cross-entropy of logits [N, K] or, per pixel, [N, K, spatial] with labels i64 [N,
/// spatial], or with soft targets of the logits' type and shape (each row a distribution): a
/// scalar. With class weights, the mean is weighted (see NegativeLogLikelihood). Errors: usage when
/// shapes or types do not fit, there are no elements, label_smoothing is not in [0, 1], or
/// ignore_index is combined with soft targets; when run, data for a label outside [0, K).
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

/// Along an axis of x, by default K of [N, K, ...]; negative ones count from the end. x has a float
/// type; never overflows. Errors: usage when x has no such axis.
Tensor softmax(const Tensor& x, int axis = 1);
Tensor log_softmax(const Tensor& x, int axis = 1);

}  // namespace fovea
