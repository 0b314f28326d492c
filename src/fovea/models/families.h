#pragma once

#include "fovea/models/registry.h"

// The registry's entries, one function a file of models.
namespace fovea::models {

std::vector<Entry> small_cnn();
std::vector<Entry> deeper_cnn();
std::vector<Entry> keras_cnn();
std::vector<Entry> simple_cnn_224();
std::vector<Entry> simple_cnn_gap();
std::vector<Entry> simple_cnn_deep();
std::vector<Entry> lenet_cnn();
std::vector<Entry> vgg_style_cnn();
std::vector<Entry> lenet5();
std::vector<Entry> alexnet();
std::vector<Entry> vgg();
std::vector<Entry> googlenet();
std::vector<Entry> inception_v3();
std::vector<Entry> resnet();
std::vector<Entry> densenet();
std::vector<Entry> squeezenet();
std::vector<Entry> mobilenet_v1();
std::vector<Entry> mobilenet_v2();
std::vector<Entry> mobilenet_v3();
std::vector<Entry> shufflenet_v2();
std::vector<Entry> efficientnet();
std::vector<Entry> efficientnet_lite();
std::vector<Entry> regnet();
std::vector<Entry> convnext();

/// An entry's `build` for a model whose constructor takes (Scope, Config), and then `plan`: what
/// tells the members of its family apart.
template <class Net, class... Plan>
auto build(const Plan&... plan) {
  return [=](const nn::Scope& scope, const Config& config) -> std::unique_ptr<nn::Module> {
    return std::make_unique<Net>(scope, config, plan...);
  };
}

/// The defaults of nets for ImageNet: 1000 classes, square images of this side.
inline Config imagenet(int64_t side = 224) {
  return {.classes = 1000, .input = Shape{3, side, side}};
}

/// In a train graph, what an auxiliary head makes of `x`, as an output of that name.
void add_side_output(const std::string& name, const nn::Module& head, const Tensor& x);

/// The multiple of 8 nearest to `channels`, at least 8, and the next one where that would take away
/// more than a tenth: how nets that come in widths round theirs (as TensorFlow's MobileNets do).
int64_t round_channels(double channels);

}  // namespace fovea::models
