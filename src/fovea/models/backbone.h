#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea::models {

/// A net without its head: feature maps that other nets build on. Arrays have the names that they
/// have in the net itself.
class Backbone : public nn::Module {
 public:
  /// Chooses the form of `forward` that gives all stages.
  struct Stages {};

  using Module::forward;
  using Module::Module;

  /// The result of the last stage.
  Tensor forward(Tensor x) const override { return forward(x, Stages{}).back(); }
  /// The results of the four stages, at a stride of 4, 8, 16 and 32 or what dilation leaves of it.
  virtual Tensors forward(const Tensor& x, Stages) const = 0;
  /// How many channels each of them has.
  virtual std::vector<int64_t> channels() const = 0;
};

struct BackboneOptions {
  int64_t in_channels = 3;
  /// The last stages of these nets whose strides become dilations, as in torchvision: their feature
  /// maps stay large. Of a ResNet 0 to 2; of a MobileNetV3 0 or 1.
  int dilated = 0;
};

/// A net of the ResNet family with its stem for large images: "resnet50". Errors: internal for
/// another name.
std::unique_ptr<Backbone> resnet_backbone(std::string_view name, const nn::Scope& scope,
                                          const BackboneOptions& options);
/// mobilenet_v3_large, with its last 1x1 convolution: 960 channels.
std::unique_ptr<Backbone> mobilenet_v3_backbone(const nn::Scope& scope,
                                                const BackboneOptions& options);

}  // namespace fovea::models
