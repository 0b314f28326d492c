#pragma once

#include "fovea/nn/activation.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/sequential.h"

namespace fovea::nn {

/// Weighs each channel by what all channels are like on average (squeeze and excitation, Hu et al.
/// 2017): the means go through two linear layers without bias, relu between them, and a sigmoid,
/// and scale x [N, C, H, W]. The hidden layer is C / reduction wide, and at least 1, so that a
/// narrow x is still weighed. Errors: usage when reduction is below 1.
class SqueezeExcite : public Module {
 public:
  SqueezeExcite(const Scope& scope, int64_t channels, int64_t reduction = 16);
  Tensor forward(Tensor x) const override;

 private:
  Sequential excitation;
};

struct MBConvOptions {
  int64_t expansion = 4;  ///< hidden channels over input channels; 1 leaves the first step out
  int64_t stride = 1;
  int64_t reduction = 4;  ///< of the squeeze, in hidden channels
};

/// Wide in the middle: 1x1 to more channels, 3x3 depthwise there, SqueezeExcite, 1x1 to `out`;
/// norms behind the convolutions, relu6 behind the first two, and x is added where its shape stays
/// (MobileNetV2, Sandler et al. 2018, with EfficientNet's squeeze). x [N, in, H, W] gives [N, out,
/// H', W'], H' = ceil(H / stride). Errors: usage when expansion is below 1.
class MBConv : public Module {
 public:
  using Options = MBConvOptions;

  MBConv(const Scope& scope, int64_t in, int64_t out, const Options& options = {});
  Tensor forward(Tensor x) const override;

 private:
  bool skip_;
  Sequential conv;
  SqueezeExcite se;
  Sequential project;
};

}  // namespace fovea::nn
