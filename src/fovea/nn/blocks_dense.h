#pragma once

#include <memory>
#include <vector>

#include "fovea/nn/conv.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

/// The new channels of one layer of a DenseBlock: norm, relu, 1x1 convolution to bottleneck *
/// growth channels, norm, relu, 3x3 convolution. x [N, in, H, W] gives [N, growth, H, W]. Arrays as
/// in torchvision, here and below.
class DenseLayer : public Module {
 public:
  DenseLayer(const Scope& scope, int64_t in, int64_t growth, int64_t bottleneck = 4);
  Tensor forward(Tensor x) const override;

 private:
  BatchNorm2d norm1;
  Conv2d conv1;
  BatchNorm2d norm2;
  Conv2d conv2;
};

/// Layers that each receive the input and the outputs of all previous layers (DenseNet, Huang et
/// al. 2017): x [N, in, H, W] gives their concatenation, [N, in + layers * growth, H, W].
class DenseBlock : public Module {
 public:
  DenseBlock(const Scope& scope, int layers, int64_t in, int64_t growth, int64_t bottleneck = 4);
  Tensor forward(Tensor x) const override;

 private:
  std::vector<std::unique_ptr<DenseLayer>> layers_;
};

}  // namespace fovea::nn
