#pragma once

#include <concepts>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/sequential.h"
#include "fovea/nn/shape.h"

namespace fovea::nn {

/// `.kernel` is an odd number for both axes, padded so that a stride of 1 keeps the size.
struct ConvNormActOptions {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = false;  ///< redundant before a norm; for nets that were published with one
  BatchNormOptions norm = {};
};

/// Appends a convolution, a batch norm and an activation to `layers`: x [N, in, H, W] gives [N,
/// out, H', W'], H' = ceil(H / stride). With the activation Identity only two modules are appended.
/// Errors: as Conv.
template <class Activation = ReLU>
void add_conv_norm_act(Sequential& layers, int64_t in, int64_t out,
                       const ConvNormActOptions& options = {}) {
  layers.add<Conv2d>(in, out,
                     ConvOptions{.kernel = options.kernel,
                                 .stride = options.stride,
                                 .padding = options.kernel / 2 * options.dilation,
                                 .dilation = options.dilation,
                                 .groups = options.groups,
                                 .bias = options.bias});
  layers.add<BatchNorm2d>(out, options.norm);
  if constexpr (!std::same_as<Activation, Identity>) layers.add<Activation>();
}

/// Convolution, batch norm, activation as one module. Arrays "0.weight", "1.weight", ..., as in
/// torchvision. Errors: as Conv.
template <class Activation = ReLU>
class ConvNormAct : public Sequential {
 public:
  using Options = ConvNormActOptions;

  ConvNormAct(const Scope& scope, int64_t in, int64_t out, const Options& options = {})
      : Sequential(scope) {
    add_conv_norm_act<Activation>(*this, in, out, options);
  }
};

/// A kernel of any shape, padding 0 by default; the norm as in TensorFlow's nets.
struct BasicConv2dOptions {
  Dims kernel;
  Dims stride = 1;
  Padding padding = 0;
  bool bias = false;
  BatchNormOptions norm = {.eps = 1e-3};
};

/// Convolution, batch norm, relu under the names "conv" and "bn", as in torchvision's Inception
/// nets: x [N, in, H, W] gives [N, out, H', W']. Errors: as Conv.
class BasicConv2d : public Module {
 public:
  using Options = BasicConv2dOptions;

  BasicConv2d(const Scope& scope, int64_t in, int64_t out, const Options& options);
  Tensor forward(Tensor x) const override;

  Conv2d conv;
  BatchNorm2d bn;
};

/// Four concatenated branches on x, as in an Inception module (Szegedy et al. 2014): 1x1, 3x3 and
/// 5x5 convolutions, and 3x3 max pooling followed by a 1x1 convolution. x [N, in, H, W] gives [N, 4
/// * out, H, W].
class MultiScale : public Module {
 public:
  MultiScale(const Scope& scope, int64_t in, int64_t out);
  Tensor forward(Tensor x) const override;

 private:
  Conv2d conv1x1, conv3x3, conv5x5, conv_pool;
};

struct DepthwiseSeparableOptions {
  int64_t kernel = 3;  ///< odd, for both axes
  int64_t stride = 1;
  /// Batch norm and relu after each convolution, without biases; else just two convolutions with
  /// biases.
  bool norm = true;
};

/// A convolution split in two (MobileNet, Howard et al. 2017): depthwise, one filter per channel,
/// then pointwise, 1x1 over channels. x [N, in, H, W] gives [N, out, H', W'], H' = ceil(H /
/// stride), with about kernel^2 times fewer weights than a full convolution.
class DepthwiseSeparable : public Module {
 public:
  using Options = DepthwiseSeparableOptions;

  DepthwiseSeparable(const Scope& scope, int64_t in, int64_t out, const Options& options = {});
  Tensor forward(Tensor x) const override;

 private:
  std::optional<BatchNorm2d> norm(std::string_view name, int64_t channels, bool wanted);

  Conv2d depthwise;
  std::optional<BatchNorm2d> bn1;
  Conv2d pointwise;
  std::optional<BatchNorm2d> bn2;
};

/// A 1x1 convolution: the same linear map over channels at every pixel. x [N, in, H, W] gives [N,
/// out, H, W].
class ChannelMixer : public Module {
 public:
  ChannelMixer(const Scope& scope, int64_t in, int64_t out);
  Tensor forward(Tensor x) const override { return conv(x); }

 private:
  Conv2d conv;
};

}  // namespace fovea::nn
