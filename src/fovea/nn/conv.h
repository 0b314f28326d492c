#pragma once

#include <optional>

#include "fovea/nn/module.h"
#include "fovea/ops/window.h"

namespace fovea::nn {

/// PyTorch's names and defaults; one number an axis, or one for all: `.kernel = 3`, `.kernel = {3,
/// 5}`.
struct ConvOptions {
  Dims kernel;
  Dims stride = 1;
  Dims padding = 0;
  Dims dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// A convolution over `Axes` spatial axes with its weight [O, I/groups, kernel] and bias [O]: x [N,
/// I, spatial] gives [N, O, spatial'], sizes as of fovea::conv. Both start uniform in +-1 /
/// sqrt(fan_in), as PyTorch's do.
template <int Axes>
class Conv : public Module {
 public:
  using Options = ConvOptions;

  /// Errors: usage when a number of channels or groups is below 1, or groups does not divide both.
  Conv(const Scope& scope, int64_t in_channels, int64_t out_channels, const Options& options);
  Tensor forward(Tensor x) const override;

  Parameter weight;
  std::optional<Parameter> bias;

 private:
  Options options_;
};

using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

}  // namespace fovea::nn
