#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// The weight and bias of a convolution that also does a batch norm's work: inputs weight [O, ...],
/// gamma, beta, mean, var [O], and the convolution's own bias [O] when `bias`; outputs weight' and
/// bias' (see passes/fold_batchnorm.h).
struct FoldBatchNorm {
  double eps = 1e-5;
  bool bias = false;

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    visit("bias", op.bias, false);
  }

  static constexpr std::string_view name = "fold_batchnorm";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

}  // namespace fovea
