#pragma once

#include <optional>

#include "fovea/graph/graph.h"

namespace fovea {

/// How much of each target is among the k largest logits: 1 or 0 for a label, the sum of the
/// weights for soft targets. Inputs: logits [N, K, spatial], labels i64 [N, spatial] in [0, K) or
/// targets of the logits' type and shape. Output: [N, spatial] of the logits' dtype. Among equal
/// logits the lower index comes first; non-finite logits are never counted.
struct InTopK {
  int64_t k = 1;

  static void fields(auto& op, auto&& visit) { visit("k", op.k); }

  static constexpr std::string_view name = "in_top_k";
  static constexpr Traits traits{.differentiable = false, .checks_data = true};

  Types infer(const Types& in) const;
  /// Errors: data, for a label outside [0, K), naming its index and value.
  void reference(const Views& v) const;
};

/// 1 at each label, 0 elsewhere: labels i64 [N, spatial] to [N, K, spatial] of `dtype`.
struct OneHot {
  int64_t classes = 1;
  DType dtype = DType::f32;

  static void fields(auto& op, auto&& visit) {
    visit("classes", op.classes);
    visit("dtype", op.dtype);
  }

  static constexpr std::string_view name = "one_hot";
  static constexpr Traits traits{.differentiable = false, .checks_data = true};

  Types infer(const Types& in) const;
  /// Errors: data, for a label outside [0, K), naming its index and value.
  void reference(const Views& v) const;
};

/// The class of the largest logit: [N, K, spatial] to i64 [N, spatial]. Among equal logits the
/// lower index comes first; non-finite logits are ignored, and if none is finite the class is 0.
struct ArgMax {
  static constexpr std::string_view name = "argmax";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// How often pixels of each class were taken for each class: logits [N, K, spatial] and labels i64
/// [N, spatial] in [0, K) give f64[K, K], whose rows are the labels and whose columns the classes
/// of ArgMax. Labels equal to `ignore_index` are not counted.
struct ConfusionMatrix {
  std::optional<int64_t> ignore_index = std::nullopt;

  static void fields(auto& op, auto&& visit) {
    visit("ignore_index", op.ignore_index, std::nullopt);
  }

  static constexpr std::string_view name = "confusion_matrix";
  static constexpr Traits traits{.differentiable = false, .checks_data = true};

  Types infer(const Types& in) const;
  /// Errors: data, for a label outside [0, K), naming its index and value.
  void reference(const Views& v) const;
};

/// See ConfusionMatrix. Errors: usage when shapes or types do not fit; when run, data for a label
/// outside [0, K).
Tensor confusion_matrix(const Tensor& logits, const Tensor& labels,
                        std::optional<int64_t> ignore_index = std::nullopt);

/// See ArgMax. Errors: usage when there is no axis 1, it has no elements, or logits are not floats.
Tensor argmax(const Tensor& logits);

/// See InTopK. Errors: usage when shapes or types do not fit or k is below 1; when run, data for a
/// label outside [0, K).
Tensor in_top_k(const Tensor& logits, const Tensor& targets, int64_t k);

/// See OneHot. Errors: usage when labels are not i64 or classes is below 1; when run, data for a
/// label outside [0, K).
Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype);

}  // namespace fovea
