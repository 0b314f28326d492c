#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// How many convolutions each of the five stages has.
using Depths = std::array<int, 5>;

/// The nets of Simonyan and Zisserman 2014, "Very deep convolutional networks for large-scale image
/// recognition": only 3x3 convolutions, wider as pooling shrinks the image; with batch norms, which
/// came a year later, when `norm` asks for them. Arrays have torchvision's names.
class Vgg : public nn::Module {
 public:
  Vgg(const nn::Scope& s, const Config& c, const Depths& depths, bool norm)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 7),
        classifier(at("classifier")) {
    int64_t channels = c.input[0];
    for (size_t stage = 0; stage < depths.size(); ++stage) {
      const int64_t width = std::min<int64_t>(64 << stage, 512);
      for (int i = 0; i < depths[stage]; ++i) {
        features.add<nn::Conv2d>(channels, width, nn::ConvOptions{.kernel = 3, .padding = 1});
        if (norm) features.add<nn::BatchNorm2d>(width);
        features.add<nn::ReLU>();
        channels = width;
      }
      features.add<nn::MaxPool2d>(2);
    }
    classifier.add<nn::Linear>(512 * 7 * 7, 4096);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.dropout);
    classifier.add<nn::Linear>(4096, 4096);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.dropout);
    classifier.add<nn::Linear>(4096, c.classes);
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
};

}  // namespace

std::vector<Entry> vgg() {
  Config defaults = imagenet();
  defaults.dropout = 0.5;
  std::vector<Entry> entries;
  for (const auto& [name, depths] : {std::pair<std::string, Depths>{"vgg11", {1, 1, 2, 2, 2}},
                                     {"vgg13", {2, 2, 2, 2, 2}},
                                     {"vgg16", {2, 2, 3, 3, 3}},
                                     {"vgg19", {2, 2, 4, 4, 4}}}) {
    for (bool norm : {false, true}) {
      entries.push_back({.name = name + (norm ? "_bn" : ""),
                         .defaults = defaults,
                         .build = build<Vgg>(depths, norm)});
    }
  }
  return entries;
}

}  // namespace fovea::models
