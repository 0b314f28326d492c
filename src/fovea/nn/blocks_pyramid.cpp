#include "fovea/nn/blocks_pyramid.h"

#include "fovea/nn/init.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/upsample.h"

namespace fovea::nn {

FeaturePyramid::Convolutions::Convolutions(const Scope& scope, const std::vector<int64_t>& in,
                                           int64_t out, int64_t kernel)
    : Sequential(scope) {
  for (const int64_t channels : in) {
    add<Sequential>().add<Conv2d>(channels, out,
                                  ConvOptions{.kernel = kernel, .padding = kernel / 2});
  }
}

FeaturePyramid::Extra::Extra(const Scope& scope, int64_t channels)
    : Module(scope),
      p6(at("p6"), channels, channels, {.kernel = 3, .stride = 2, .padding = 1}),
      p7(at("p7"), channels, channels, {.kernel = 3, .stride = 2, .padding = 1}) {}

FeaturePyramid::FeaturePyramid(const Scope& scope, const std::vector<int64_t>& in, int64_t out,
                               bool more)
    : Module(scope),
      inner_blocks(at("inner_blocks"), in, out, 1),
      layer_blocks(at("layer_blocks"), std::vector<int64_t>(in.size(), out), out, 3) {
  if (more) extra_blocks.emplace(at("extra_blocks"), out);
  initialize<Conv2d>(*this, init::kaiming_uniform(1));
}

Tensors FeaturePyramid::forward(const Tensor& largest, const Tensors& smaller) const {
  Tensors maps{largest};
  maps.insert(maps.end(), smaller.begin(), smaller.end());
  Tensor above;
  for (size_t i = maps.size(); i-- > 0;) {
    Tensor x = inner_blocks.at_level(i, maps[i]);
    if (above) x = x + upsample_to(above, {x.dim(2), x.dim(3)});
    above = x;
    maps[i] = layer_blocks.at_level(i, x);
  }
  if (extra_blocks) {
    maps.push_back(extra_blocks->p6(maps.back()));
    maps.push_back(extra_blocks->p7(relu(maps.back())));
  }
  return maps;
}

}  // namespace fovea::nn
