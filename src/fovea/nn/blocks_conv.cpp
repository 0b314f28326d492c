#include "fovea/nn/blocks_conv.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::nn {

BasicConv2d::BasicConv2d(const Scope& scope, int64_t in, int64_t out, const Options& options)
    : Module(scope),
      conv(at("conv"), in, out,
           {.kernel = options.kernel,
            .stride = options.stride,
            .padding = options.padding,
            .bias = options.bias}),
      bn(at("bn"), out, options.norm) {}

Tensor BasicConv2d::forward(Tensor x) const { return relu(bn(conv(x))); }

MultiScale::MultiScale(const Scope& scope, int64_t in, int64_t out)
    : Module(scope),
      conv1x1(at("conv1x1"), in, out, {.kernel = 1}),
      conv3x3(at("conv3x3"), in, out, {.kernel = 3, .padding = 1}),
      conv5x5(at("conv5x5"), in, out, {.kernel = 5, .padding = 2}),
      conv_pool(at("conv_pool"), in, out, {.kernel = 1}) {}

Tensor MultiScale::forward(Tensor x) const {
  const Tensor pooled = max_pool2d(x, {.kernel = 3, .stride = 1, .padding = 1});
  return concat({conv1x1(x), conv3x3(x), conv5x5(x), conv_pool(pooled)}, 1);
}

DepthwiseSeparable::DepthwiseSeparable(const Scope& scope, int64_t in, int64_t out,
                                       const Options& options)
    : Module(scope),
      depthwise(at("depthwise"), in, in,
                {.kernel = options.kernel,
                 .stride = options.stride,
                 .padding = options.kernel / 2,
                 .groups = in,
                 .bias = !options.norm}),
      bn1(norm("bn1", in, options.norm)),
      pointwise(at("pointwise"), in, out, {.kernel = 1, .bias = !options.norm}),
      bn2(norm("bn2", out, options.norm)) {}

std::optional<BatchNorm2d> DepthwiseSeparable::norm(std::string_view name, int64_t channels,
                                                    bool wanted) {
  if (!wanted) return std::nullopt;
  return std::optional<BatchNorm2d>(std::in_place, at(name), channels);
}

Tensor DepthwiseSeparable::forward(Tensor x) const {
  if (!bn1) return pointwise(depthwise(x));
  x = relu((*bn1)(depthwise(x)));
  return relu((*bn2)(pointwise(x)));
}

ChannelMixer::ChannelMixer(const Scope& scope, int64_t in, int64_t out)
    : Module(scope), conv(at("conv"), in, out, {.kernel = 1}) {}

}  // namespace fovea::nn
