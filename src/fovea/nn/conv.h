#pragma once

#include <optional>

#include "fovea/nn/module.h"
#include "fovea/ops/pad.h"

namespace fovea::nn {

/// PyTorch's names and defaults; one number per axis, or one for all: `.kernel = 3`, `.kernel = {3,
/// 5}`.
struct ConvOptions {
  Dims kernel;
  Dims stride = 1;
  Padding padding = 0;  ///< numbers, pairs, "valid", "same" or "full": see ops/window.h
  Dims dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  PadMode padding_mode = PadMode::constant;
  double padding_value = 0;  ///< of PadMode::constant
};

/// A convolution over `Axes` spatial axes with its weight [O, I/groups, kernel] and bias [O]: x [N,
/// I, spatial] gives [N, O, spatial'], with sizes as in fovea::conv. Both are initialised uniformly
/// in +-1 / sqrt(fan_in), as in PyTorch.
template <int Axes>
class Conv : public Module {
 public:
  using Options = ConvOptions;

  /// Errors: usage when channels or groups are below 1, or groups does not divide both channels.
  Conv(const Scope& scope, int64_t in_channels, int64_t out_channels, const Options& options);
  Tensor forward(Tensor x) const override;

  Parameter weight;
  std::optional<Parameter> bias;

 private:
  Options options_;
};

/// PyTorch's names and defaults; one number per axis, or one for all.
struct ConvTransposeOptions {
  Dims kernel;
  Dims stride = 1;
  Dims padding = 0;
  Dims output_padding = 0;
  Dims dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

/// A transposed convolution with its weight [I, O/groups, kernel] and bias [O]: x [N, I, spatial]
/// gives [N, O, spatial'], with sizes as in fovea::conv_transpose. Both are initialised as in
/// PyTorch, uniformly in +-1 / sqrt(O/groups * kernel size).
template <int Axes>
class ConvTranspose : public Module {
 public:
  using Options = ConvTransposeOptions;

  /// Errors: as Conv.
  ConvTranspose(const Scope& scope, int64_t in_channels, int64_t out_channels,
                const Options& options);
  Tensor forward(Tensor x) const override;

  Parameter weight;
  std::optional<Parameter> bias;

 private:
  Options options_;
};

using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

}  // namespace fovea::nn
