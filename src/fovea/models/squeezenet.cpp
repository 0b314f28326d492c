#include <algorithm>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// 1x1 to `squeezed` channels, then 1x1 and 3x3 side by side, each to `expanded`.
class Fire : public nn::Module {
 public:
  Fire(const nn::Scope& s, int64_t in, int64_t squeezed, int64_t expanded)
      : Module(s),
        squeeze(at("squeeze"), in, squeezed, {.kernel = 1}),
        expand1x1(at("expand1x1"), squeezed, expanded, {.kernel = 1}),
        expand3x3(at("expand3x3"), squeezed, expanded, {.kernel = 3, .padding = 1}) {}

  Tensor forward(Tensor x) const override {
    x = relu(squeeze(x));
    return concat({relu(expand1x1(x)), relu(expand3x3(x))}, 1);
  }

 private:
  nn::Conv2d squeeze, expand1x1, expand3x3;
};

/// Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters": 1.0 as in
/// the paper, 1.1 with a smaller stem and earlier pooling. No linear layer: the last convolution
/// outputs one map per class. Arrays have torchvision's names.
class SqueezeNet : public nn::Module {
 public:
  SqueezeNet(const nn::Scope& s, const Config& c, bool smaller)
      : Module(s), features(at("features")), classifier(at("classifier")) {
    int64_t channels = smaller ? 64 : 96;
    features.add<nn::Conv2d>(c.input[0], channels,
                             nn::ConvOptions{.kernel = smaller ? 3 : 7, .stride = 2});
    features.add<nn::ReLU>();
    const int64_t expanded[] = {64, 64, 128, 128, 192, 192, 256, 256};
    const std::vector<int> pooled = smaller ? std::vector{0, 2, 4} : std::vector{0, 3, 7};
    for (int i = 0; i < 8; ++i) {
      if (std::find(pooled.begin(), pooled.end(), i) != pooled.end())
        features.add<nn::MaxPool2d>(PoolOptions{.kernel = 3, .stride = 2, .ceil_mode = true});
      features.add<Fire>(channels, expanded[i] / 4, expanded[i]);
      channels = 2 * expanded[i];
    }
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    auto& last = classifier.add<nn::Conv2d>(channels, c.outputs, nn::ConvOptions{.kernel = 1});
    classifier.add<nn::ReLU>();
    classifier.add<nn::AdaptiveAvgPool2d>(1);
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_uniform(0));
    last.weight.initialize(nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return flatten(classifier(features(x))); }

 private:
  nn::Sequential features, classifier;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> squeezenet() {
  const auto entry = [](std::string name, bool smaller, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .choices = {dropout(0.5)},
                 .counts = counts,
                 .build = build<SqueezeNet>(smaller)};
  };
  return {entry("squeezenet1_0", false, {1'248'424, 0, 818'924'576}),
          entry("squeezenet1_1", true, {1'235'496, 0, 349'151'936})};
}

}  // namespace fovea::models
