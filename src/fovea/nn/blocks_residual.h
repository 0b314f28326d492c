#pragma once

#include "fovea/nn/blocks_mobile.h"

namespace fovea::nn {

/// The skip connection of a residual block: x itself if channels and size are unchanged, else a 1x1
/// convolution and a norm.
class Downsample : public Sequential {
 public:
  Downsample(const Scope& scope, int64_t in, int64_t out, int64_t stride,
             const BatchNormOptions& norm = {});
  /// As Module, but when it is x itself no module is called, as in torchvision.
  Tensor operator()(Tensor x) const;
};

struct BasicBlockOptions {
  int64_t dilation = 1;  ///< of both convolutions
  BatchNormOptions norm = {};
};

/// Two 3x3 convolutions and a skip connection, as in ResNet-18/34 (He et al. 2015): x [N, in, H, W]
/// gives [N, width, H', W'], H' = ceil(H / stride). Arrays as in torchvision, here and below.
class BasicBlock : public Module {
 public:
  static constexpr int64_t expansion = 1;  ///< ratio of output channels to width
  using Options = BasicBlockOptions;

  BasicBlock(const Scope& scope, int64_t in, int64_t width, int64_t stride = 1,
             const Options& options = {});
  Tensor forward(Tensor x) const override;

 protected:
  Tensor residual(Tensor x) const;  ///< what is added to the skip connection

  Conv2d conv1;
  BatchNorm2d bn1;
  Conv2d conv2;
  BatchNorm2d bn2;
  Downsample downsample;
};

/// A BasicBlock that scales the channels of its residual (SE-ResNet, Hu et al. 2017).
class SEBasicBlock : public BasicBlock {
 public:
  SEBasicBlock(const Scope& scope, int64_t in, int64_t width, int64_t stride = 1,
               int64_t reduction = 16, const Options& options = {});
  Tensor forward(Tensor x) const override;

 private:
  SqueezeExcite se;
};

/// The 3x3 convolution of a Bottleneck has width * groups * group_width
/// / 64 channels: `width` in a ResNet, more in a Wide ResNet (Zagoruyko
/// and Komodakis 2016) and a ResNeXt (Xie et al. 2017).
struct BottleneckOptions {
  int64_t groups = 1;
  int64_t group_width = 64;  ///< channels per group if `width` is 64
  int64_t dilation = 1;      ///< of the 3x3
  BatchNormOptions norm = {};
};

/// 1x1 to fewer channels, 3x3, 1x1 back to four times as many, and a skip connection, as in
/// ResNet-50 and deeper: x [N, in, H, W] gives [N, 4 * width, H', W']. The stride is that of the
/// 3x3, as in torchvision.
class Bottleneck : public Module {
 public:
  static constexpr int64_t expansion = 4;  ///< ratio of output channels to width
  using Options = BottleneckOptions;

  Bottleneck(const Scope& scope, int64_t in, int64_t width, int64_t stride = 1,
             const Options& options = {});
  Tensor forward(Tensor x) const override;

 private:
  int64_t inner_;
  Conv2d conv1;
  BatchNorm2d bn1;
  Conv2d conv2;
  BatchNorm2d bn2;
  Conv2d conv3;
  BatchNorm2d bn3;
  Downsample downsample;
};

}  // namespace fovea::nn
