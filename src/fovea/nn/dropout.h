#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/dropout.h"

namespace fovea::nn {

/// Sets each element to 0 with probability p and scales the others by 1 / (1 - p) in a train graph
/// (Srivastava et al. 2014); gives its input in an eval graph. Errors, when traced: usage when p is
/// not in [0, 1].
class Dropout : public Module {
 public:
  explicit Dropout(const Scope& scope, double p = 0.5) : Module(scope), p_(p) {}
  Tensor forward(Tensor x) const override { return dropout(x, p_); }

 private:
  double p_;
};

}  // namespace fovea::nn
