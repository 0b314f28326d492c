#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fovea/nn/module.h"
#include "fovea/nn/norm.h"

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
  /// The results of the stages; those of an entry's backbone are four, at a stride of 4, 8, 16 and
  /// 32, or what dilation and a stem for small images leave of it.
  virtual Tensors forward(const Tensor& x, Stages) const = 0;
  /// How many channels each of them has.
  virtual std::vector<int64_t> channels() const = 0;
};

/// A backbone that is a list of layers, named "0", "1", ..., some of which end a stage.
class LayeredBackbone : public Backbone {
 public:
  using Backbone::Backbone;
  using Backbone::forward;

  Tensors forward(const Tensor& x, Stages) const override;
  std::vector<int64_t> channels() const override { return channels_; }

 protected:
  template <class Layer, class... Args>
  Layer& add(const Args&... args) {
    auto layer = std::make_unique<Layer>(at(std::to_string(layers_.size()), where()), args...);
    Layer& added = *layer;
    layers_.push_back(std::move(layer));
    return added;
  }
  /// The layer added last ends a stage; it gives so many channels.
  void end_stage(int64_t channels);

 private:
  std::vector<std::unique_ptr<nn::Module>> layers_;
  std::vector<size_t> ends_;  ///< the last layer of each stage
  std::vector<int64_t> channels_;
};

struct BackboneOptions {
  int64_t in_channels = 3;
  /// The last stages whose strides become dilations, as in torchvision: their feature maps stay
  /// large. Of a ResNet 0 to 2; of a MobileNetV3 0 or 1; of others 0.
  int dilated = 0;
  double width = 1;  ///< factor of all channel counts, but for a stem of few channels
  /// Of the batch norms; none: those of the net itself.
  std::optional<nn::BatchNormOptions> norm = {};
};

/// The backbone of the model of that name: "resnet50", "convnext_tiny". Errors: usage for a model
/// that is not in the registry or has none, with those that have one, and for options that do not
/// apply to it.
std::unique_ptr<Backbone> make_backbone(std::string_view name, const nn::Scope& scope,
                                        const BackboneOptions& options);

/// mobilenet_v3_large with half the channels in its last stage, as SSDlite uses it: its stages end
/// at a stride of 16, with the 1x1 convolution that begins the last stage, and of 32. Arrays have
/// torchvision's names.
std::unique_ptr<Backbone> mobilenet_v3_ssd(const nn::Scope& scope, const BackboneOptions& options);

}  // namespace fovea::models
