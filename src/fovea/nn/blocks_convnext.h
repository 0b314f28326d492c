#pragma once

#include <optional>

#include "fovea/nn/dropout.h"
#include "fovea/nn/sequential.h"

namespace fovea::nn {

struct ConvNeXtOptions {
  int64_t kernel = 7;     ///< odd, for both axes
  int64_t expansion = 4;  ///< ratio of hidden channels to channels
  double eps = 1e-6;      ///< that of the layer norm
  /// Initial value of the learned scale per channel, small so that a deep net starts as the
  /// identity; none: no such scale.
  std::optional<double> layer_scale = 1e-6;
  double drop_path = 0;  ///< probability of skipping the block for a sample in training
};

/// A depthwise convolution, then at every pixel layer norm, an expanding linear layer, gelu and a
/// linear layer back, added to x [N, C, H, W] (ConvNeXt, Liu et al. 2022). Arrays as in
/// torchvision: "layer_scale" [C, 1, 1], "block.0.weight", ...
class ConvNeXtBlock : public Module {
 public:
  using Options = ConvNeXtOptions;

  ConvNeXtBlock(const Scope& scope, int64_t channels, const Options& options = {});
  Tensor forward(Tensor x) const override;

 private:
  std::optional<Parameter> layer_scale;
  Sequential block;
  DropPath drop_path;
};

}  // namespace fovea::nn
