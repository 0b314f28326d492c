#include "fovea/nn/blocks_residual.h"

#include "fovea/ops/arithmetic.h"

namespace fovea::nn {

Downsample::Downsample(const Scope& scope, int64_t in, int64_t out, int64_t stride,
                       const BatchNormOptions& norm)
    : Sequential(scope) {
  if (in == out && stride == 1) return;
  add<Conv2d>(in, out, ConvOptions{.kernel = 1, .stride = stride, .bias = false});
  add<BatchNorm2d>(out, norm);
}

Tensor Downsample::operator()(Tensor x) const {
  return size() == 0 ? x : Sequential::operator()(x);
}

BasicBlock::BasicBlock(const Scope& scope, int64_t in, int64_t width, int64_t stride,
                       const Options& options)
    : Module(scope),
      conv1(at("conv1"), in, width,
            {.kernel = 3,
             .stride = stride,
             .padding = options.dilation,
             .dilation = options.dilation,
             .bias = false}),
      bn1(at("bn1"), width, options.norm),
      conv2(
          at("conv2"), width, width,
          {.kernel = 3, .padding = options.dilation, .dilation = options.dilation, .bias = false}),
      bn2(at("bn2"), width, options.norm),
      downsample(at("downsample"), in, width, stride, options.norm) {}

Tensor BasicBlock::residual(Tensor x) const { return bn2(conv2(relu(bn1(conv1(x))))); }

Tensor BasicBlock::forward(Tensor x) const { return relu(residual(x) + downsample(x)); }

SEBasicBlock::SEBasicBlock(const Scope& scope, int64_t in, int64_t width, int64_t stride,
                           int64_t reduction, const Options& options)
    : BasicBlock(scope, in, width, stride, options), se(at("se"), width, reduction) {}

Tensor SEBasicBlock::forward(Tensor x) const { return relu(se(residual(x)) + downsample(x)); }

Bottleneck::Bottleneck(const Scope& scope, int64_t in, int64_t width, int64_t stride,
                       const Options& options)
    : Module(scope),
      inner_(width * options.group_width / 64 * options.groups),
      conv1(at("conv1"), in, inner_, {.kernel = 1, .bias = false}),
      bn1(at("bn1"), inner_, options.norm),
      conv2(at("conv2"), inner_, inner_,
            {.kernel = 3,
             .stride = stride,
             .padding = options.dilation,
             .dilation = options.dilation,
             .groups = options.groups,
             .bias = false}),
      bn2(at("bn2"), inner_, options.norm),
      conv3(at("conv3"), inner_, expansion * width, {.kernel = 1, .bias = false}),
      bn3(at("bn3"), expansion * width, options.norm),
      downsample(at("downsample"), in, expansion * width, stride, options.norm) {}

Tensor Bottleneck::forward(Tensor x) const {
  Tensor y = relu(bn1(conv1(x)));
  y = relu(bn2(conv2(y)));
  y = bn3(conv3(y));
  return relu(y + downsample(x));
}

}  // namespace fovea::nn
