#pragma once

#include "fovea/models/registry.h"

// The registry's entries, one function a file of models.
namespace fovea::models {

std::vector<Entry> small_cnn();
std::vector<Entry> deeper_cnn();
std::vector<Entry> lenet_cnn();
std::vector<Entry> vgg_style_cnn();
std::vector<Entry> resnet_cifar();
std::vector<Entry> simple_cnn_224();

/// An entry's `build` for a model whose constructor takes (Scope, Config).
template <class Net>
std::unique_ptr<nn::Module> build(const nn::Scope& scope, const Config& config) {
  return std::make_unique<Net>(scope, config);
}

}  // namespace fovea::models
