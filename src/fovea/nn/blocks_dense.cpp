#include "fovea/nn/blocks_dense.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::nn {

DenseLayer::DenseLayer(const Scope& scope, int64_t in, int64_t growth, int64_t bottleneck)
    : Module(scope),
      norm1(at("norm1"), in),
      conv1(at("conv1"), in, bottleneck * growth, {.kernel = 1, .bias = false}),
      norm2(at("norm2"), bottleneck * growth),
      conv2(at("conv2"), bottleneck * growth, growth, {.kernel = 3, .padding = 1, .bias = false}) {}

Tensor DenseLayer::forward(Tensor x) const {
  x = conv1(relu(norm1(x)));
  return conv2(relu(norm2(x)));
}

DenseBlock::DenseBlock(const Scope& scope, int layers, int64_t in, int64_t growth,
                       int64_t bottleneck)
    : Module(scope) {
  for (int i = 0; i < layers; ++i) {
    layers_.push_back(std::make_unique<DenseLayer>(at("denselayer" + std::to_string(i + 1)),
                                                   in + i * growth, growth, bottleneck));
  }
}

Tensor DenseBlock::forward(Tensor x) const {
  for (const auto& layer : layers_) x = concat({x, (*layer)(x)}, 1);
  return x;
}

}  // namespace fovea::nn
