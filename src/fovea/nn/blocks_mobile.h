#pragma once

#include "fovea/nn/blocks_conv.h"
#include "fovea/nn/dropout.h"
#include "fovea/nn/linear.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/pool.h"

namespace fovea::nn {

/// Scales each channel by a function of all channel means (squeeze and excitation, Hu et al. 2017):
/// the means pass through two linear layers without bias, with relu between them, and a sigmoid,
/// and scale x [N, C, H, W]. The hidden layer has C / reduction features, but at least 1. Errors:
/// usage when reduction is below 1.
class SqueezeExcite : public Module {
 public:
  SqueezeExcite(const Scope& scope, int64_t channels, int64_t reduction = 16);
  Tensor forward(Tensor x) const override;

 private:
  Sequential excitation;
};

/// SqueezeExcite with 1x1 convolutions that have biases, `squeezed` channels between them, and a
/// choice of activations: arrays "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", as in
/// torchvision. Errors: as Conv.
template <class Activation = ReLU, class Gate = Sigmoid>
class ConvSqueezeExcite : public Module {
 public:
  ConvSqueezeExcite(const Scope& scope, int64_t channels, int64_t squeezed)
      : Module(scope),
        fc1(at("fc1"), channels, squeezed, {.kernel = 1}),
        activation(at("activation")),
        fc2(at("fc2"), squeezed, channels, {.kernel = 1}),
        gate(at("scale_activation")) {}

  Tensor forward(Tensor x) const override {
    return x * gate(fc2(activation(fc1(global_avg_pool(x)))));
  }

 private:
  Conv2d fc1;
  Activation activation;
  Conv2d fc2;
  Gate gate;
};

struct InvertedResidualOptions {
  int64_t kernel = 3;  ///< of the depthwise convolution, odd, for both axes
  int64_t stride = 1;
  int64_t dilation = 1;  ///< of the depthwise convolution
  int64_t squeezed = 0;  ///< hidden channels of the squeeze and excitation; 0: none
  double drop_path = 0;  ///< probability of skipping the residual for a sample in training
  BatchNormOptions norm = {};
};

/// The inverted residual of MobileNetV3 (Howard et al. 2019) and EfficientNet (Tan and Le 2019):
/// 1x1 to `hidden` channels (omitted if x has as many), depthwise, a Squeeze, 1x1 to `out`; with
/// norms after the convolutions, activations after the first two, and x added if the shape is
/// unchanged. x [N, in, H, W] gives [N, out, H', W'], H' = ceil(H / stride). Arrays
/// "block.0.0.weight", ..., as in torchvision. Errors: as Conv.
template <class Activation, class Squeeze>
class InvertedResidual : public Module {
 public:
  using Options = InvertedResidualOptions;

  InvertedResidual(const Scope& scope, int64_t in, int64_t hidden, int64_t out,
                   const Options& options)
      : Module(scope),
        skip_(options.stride == 1 && in == out),
        block(at("block")),
        drop_path(at("stochastic_depth"), options.drop_path) {
    using Conv = ConvNormActOptions;
    if (hidden != in)
      block.add<ConvNormAct<Activation>>(in, hidden, Conv{.kernel = 1, .norm = options.norm});
    block.add<ConvNormAct<Activation>>(hidden, hidden,
                                       Conv{.kernel = options.kernel,
                                            .stride = options.stride,
                                            .dilation = options.dilation,
                                            .groups = hidden,
                                            .norm = options.norm});
    if (options.squeezed > 0) block.add<Squeeze>(hidden, options.squeezed);
    block.add<ConvNormAct<Identity>>(hidden, out, Conv{.kernel = 1, .norm = options.norm});
  }

  Tensor forward(Tensor x) const override {
    const Tensor y = block(x);
    return skip_ ? drop_path(y) + x : y;
  }

 private:
  bool skip_;
  Sequential block;
  DropPath drop_path;
};

struct MBConvOptions {
  int64_t expansion = 4;  ///< ratio of hidden to input channels; 1 omits the first convolution
  int64_t stride = 1;
  int64_t reduction = 4;  ///< of hidden channels, in the squeeze
};

/// An inverted residual: 1x1 to more channels, 3x3 depthwise, SqueezeExcite, 1x1 to `out`; with
/// norms after the convolutions, relu6 after the first two, and x added if the shape is unchanged
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
