#pragma once

#include <vector>

#include "fovea/nn/conv.h"
#include "fovea/nn/sequential.h"

namespace fovea::nn {

/// A feature pyramid (Lin et al. 2016): feature maps of several strides, all with the same channels
/// and each with what the smaller ones know. 1x1 convolutions give each map `out` channels; from
/// the smallest to the largest, a map is scaled to the size of the next, by its nearest pixels, and
/// added to it; 3x3 convolutions follow. Arrays have torchvision's names:
/// "inner_blocks.0.0.weight", "layer_blocks.0.0.weight", "extra_blocks.p6.weight".
class FeaturePyramid : public Module {
 public:
  using Module::forward;

  /// `in`: the channels of the maps, the largest map first. `more`: two further levels, each half
  /// as large as the one before it, by 3x3 convolutions of a stride of 2, the second after a relu
  /// ("P6" and "P7").
  FeaturePyramid(const Scope& scope, const std::vector<int64_t>& in, int64_t out,
                 bool more = false);

  /// maps [N, in, H, W], the largest first and the smallest last, give as many [N, out, H, W], and
  /// those of the further levels.
  Tensors forward(const Tensor& largest, const Tensors& smaller) const;

 private:
  /// Convolutions with kernels of this size, one for each map.
  class Convolutions : public Sequential {
   public:
    Convolutions(const Scope& scope, const std::vector<int64_t>& in, int64_t out, int64_t kernel);
    Tensor at_level(size_t level, const Tensor& x) const { return (*children()[level])(x); }
  };
  /// P6 and P7.
  struct Extra : Module {
    Extra(const Scope& scope, int64_t channels);
    Conv2d p6, p7;
  };

  Convolutions inner_blocks, layer_blocks;
  std::optional<Extra> extra_blocks;
};

}  // namespace fovea::nn
