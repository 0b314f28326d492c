#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// The weight and bias of a convolution that also does a batch norm's work: inputs weight [O, ...],
/// gamma, beta, mean, var [O], and the convolution's own bias [O] when `bias`; outputs weight' and
/// bias' (see passes/fold_batchnorm.h). The statistics have no gradient.
struct FoldBatchNorm {
  double eps = 1e-5;
  bool bias = false;

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    visit("bias", op.bias, false);
  }

  static constexpr std::string_view name = "fold_batchnorm";

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Inputs weight, gamma, mean, var, dweight', dbias', and the convolution's own bias when `bias`;
/// outputs dweight, dgamma, dbeta, and that bias's gradient when `bias`. For each output channel,
/// with s = gamma / sqrt(var + eps):
///     dweight = s dweight'
///     dgamma = (sum weight dweight' + (bias - mean) dbias') / sqrt(var + eps)
///     dbeta = dbias'
///     dbias = s dbias'
struct FoldBatchNormBackward {
  double eps = 1e-5;
  bool bias = false;

  static void fields(auto& op, auto&& visit) {
    visit("eps", op.eps);
    visit("bias", op.bias, false);
  }

  static constexpr std::string_view name = "fold_batchnorm_backward";
  static constexpr Traits traits{.differentiable = false};

  Types infer(const Types& in) const;
  void reference(const Views& v) const;
};

}  // namespace fovea
