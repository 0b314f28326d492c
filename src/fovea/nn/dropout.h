#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/dropout.h"

namespace fovea::nn {

/// Sets each element to 0 with probability p and scales the others by 1 / (1 - p) in a train graph
/// (Srivastava et al. 2014); returns its input in an eval graph. Errors, when traced: usage when p
/// is not in [0, 1].
class Dropout : public Module {
 public:
  explicit Dropout(const Scope& scope, double p = 0.5) : Module(scope), p_(p) {}
  Tensor forward(Tensor x) const override { return dropout(x, p_); }

 private:
  double p_;
};

/// Sets entire channels of x [N, C, ...] to 0, as Dropout does elements (Tompson et al. 2015): for
/// feature maps with correlated neighbours. PyTorch's Dropout2d. Errors: as Dropout.
class SpatialDropout : public Module {
 public:
  explicit SpatialDropout(const Scope& scope, double p = 0.5) : Module(scope), p_(p) {}
  Tensor forward(Tensor x) const override { return spatial_dropout(x, p_); }

 private:
  double p_;
};

using Dropout1d = SpatialDropout;
using Dropout2d = SpatialDropout;
using Dropout3d = SpatialDropout;

/// Sets entire samples of a branch to 0 before it is added to its input: stochastic depth (Huang et
/// al. 2016). Errors: as Dropout.
class DropPath : public Module {
 public:
  DropPath(const Scope& scope, double p) : Module(scope), p_(p) {}
  Tensor forward(Tensor x) const override { return drop_path(x, p_); }

 private:
  double p_;
};

}  // namespace fovea::nn
