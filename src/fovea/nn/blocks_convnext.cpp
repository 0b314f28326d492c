#include "fovea/nn/blocks_convnext.h"

#include "fovea/nn/activation.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/init.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/shape.h"
#include "fovea/ops/arithmetic.h"

namespace fovea::nn {

ConvNeXtBlock::ConvNeXtBlock(const Scope& scope, int64_t channels, const Options& options)
    : Module(scope), block(at("block")), drop_path(at("drop_path"), options.drop_path) {
  if (options.layer_scale) {
    layer_scale.emplace(at("layer_scale"), Shape{channels, 1, 1},
                        init::constant(*options.layer_scale));
  }
  const int64_t hidden = options.expansion * channels;
  block.add<Conv2d>(
      channels, channels,
      ConvOptions{.kernel = options.kernel, .padding = options.kernel / 2, .groups = channels});
  block.add<Permute>(std::vector<int>{0, 2, 3, 1});
  block.add<LayerNorm>(Shape{channels}, LayerNormOptions{.eps = options.eps});
  block.add<Linear>(channels, hidden);
  block.add<GELU>();
  block.add<Linear>(hidden, channels);
  block.add<Permute>(std::vector<int>{0, 3, 1, 2});
}

Tensor ConvNeXtBlock::forward(Tensor x) const {
  const Tensor y = block(x);
  return x + drop_path(layer_scale ? (*layer_scale)(x)*y : y);
}

}  // namespace fovea::nn
