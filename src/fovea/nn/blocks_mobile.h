#pragma once

#include "fovea/nn/blocks_conv.h"
#include "fovea/nn/dropout.h"
#include "fovea/nn/linear.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/pool.h"

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

/// SqueezeExcite with 1x1 convolutions that have biases, `squeezed` channels between them, and a
/// choice of functions: arrays "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", as in
/// torchvision. Errors: usage as of Conv.
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
  int64_t squeezed = 0;  ///< channels in the middle of the squeeze and excitation; 0: has none
  double drop_path = 0;  ///< how often, in training, what is added to x is left out of a sample
  BatchNormOptions norm = {};
};

/// Wide in the middle, as MobileNetV3 (Howard et al. 2019) and EfficientNet (Tan and Le 2019) have
/// it: 1x1 to `hidden` channels (left out where x has as many), depthwise there, a Squeeze, 1x1 to
/// `out`; norms behind the convolutions, activations behind the first two, and x is added where its
/// shape stays. x [N, in, H, W] gives [N, out, H', W'], H' = ceil(H / stride). Arrays
/// "block.0.0.weight", ..., as in torchvision. Errors: usage as of Conv.
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
