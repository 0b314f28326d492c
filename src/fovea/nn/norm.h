#pragma once

#include "fovea/nn/module.h"
#include "fovea/ops/norm.h"

namespace fovea::nn {

/// Batch normalisation (Ioffe and Szegedy 2015) of x [N, C, spatial]: in a train graph with the
/// statistics of the batch, which also move the running ones; in an eval graph with the running
/// ones. PyTorch's arrays, names and order; running_var holds unbiased variances.
class BatchNorm : public Module {
 public:
  using Options = BatchNormOptions;

  BatchNorm(const Scope& scope, int64_t channels, const Options& options = {});
  Tensor forward(Tensor x) const override;

  Parameter weight, bias;
  Buffer running_mean, running_var;
  Buffer num_batches_tracked;  ///< i64, a scalar

 private:
  Options options_;
};

using BatchNorm1d = BatchNorm;
using BatchNorm2d = BatchNorm;
using BatchNorm3d = BatchNorm;

/// Layer normalisation (Ba et al. 2016) over the last axes of x, whose sizes are `shape`; weight
/// and bias of that shape.
class LayerNorm : public Module {
 public:
  LayerNorm(const Scope& scope, const Shape& shape, double eps = 1e-5);
  Tensor forward(Tensor x) const override;

  Parameter weight, bias;

 private:
  double eps_;
};

}  // namespace fovea::nn
