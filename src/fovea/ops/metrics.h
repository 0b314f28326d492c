#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// How much of each target lies among the k largest logits: 1 or 0 for a label, the sum of the
/// shares for soft targets. Inputs: logits [N, K, spatial], labels i64 [N, spatial] in [0, K) or
/// targets of the logits' type and shape. Output: [N, spatial] of the logits' dtype. Of equal
/// logits the lower index comes first; a logit that is not finite is never among them.
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

/// The class of the largest logit: [N, K, spatial] to i64 [N, spatial]. Of equal logits the lower
/// index comes first; logits that are not finite are passed over, and where none is finite it is 0.
struct ArgMax {
  static constexpr std::string_view name = "argmax";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

/// See ArgMax. Errors: usage when there is no axis 1, it has no elements, or logits are no floats.
Tensor argmax(const Tensor& logits);

/// See InTopK. Errors: usage when shapes or types do not fit or k is below 1; when it runs, data
/// for a label outside [0, K).
Tensor in_top_k(const Tensor& logits, const Tensor& targets, int64_t k);

/// See OneHot. Errors: usage for other than i64 labels or less than 1 class; when it runs, data for
/// a label outside [0, K).
Tensor one_hot(const Tensor& labels, int64_t classes, DType dtype);

}  // namespace fovea
