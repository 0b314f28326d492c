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
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(4096, 4096);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(4096, c.outputs);
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

// Counts: torchvision's nets.
std::vector<Entry> vgg() {
  const auto entry = [](std::string name, const Depths& depths, bool norm, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .choices = {dropout(0.5)},
                 .counts = counts,
                 .build = build<Vgg>(depths, norm)};
  };
  return {entry("vgg11", {1, 1, 2, 2, 2}, false, {132'863'336, 0, 7'609'090'048}),
          entry("vgg11_bn", {1, 1, 2, 2, 2}, true, {132'868'840, 5'504, 7'609'090'048}),
          entry("vgg13", {2, 2, 2, 2, 2}, false, {133'047'848, 0, 11'308'466'176}),
          entry("vgg13_bn", {2, 2, 2, 2, 2}, true, {133'053'736, 5'888, 11'308'466'176}),
          entry("vgg16", {2, 2, 3, 3, 3}, false, {138'357'544, 0, 15'470'264'320}),
          entry("vgg16_bn", {2, 2, 3, 3, 3}, true, {138'365'992, 8'448, 15'470'264'320}),
          entry("vgg19", {2, 2, 4, 4, 4}, false, {143'667'240, 0, 19'632'062'464}),
          entry("vgg19_bn", {2, 2, 4, 4, 4}, true, {143'678'248, 11'008, 19'632'062'464})};
}

}  // namespace fovea::models
