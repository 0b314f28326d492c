#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// The net of Krizhevsky et al. 2012 in the form of Krizhevsky 2014, "One weird trick for
/// parallelizing convolutional neural networks": one column, no response norms. Arrays have
/// torchvision's names.
class AlexNet : public nn::Module {
 public:
  AlexNet(const nn::Scope& s, const Config& c)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 6),
        classifier(at("classifier")) {
    const auto convolution = [&](int64_t in, int64_t out, const nn::ConvOptions& options) {
      features.add<nn::Conv2d>(in, out, options);
      features.add<nn::ReLU>();
    };
    const auto pooling = [&] {
      features.add<nn::MaxPool2d>(PoolOptions{.kernel = 3, .stride = 2});
    };
    convolution(c.input[0], 64, {.kernel = 11, .stride = 4, .padding = 2});
    pooling();
    convolution(64, 192, {.kernel = 5, .padding = 2});
    pooling();
    convolution(192, 384, {.kernel = 3, .padding = 1});
    convolution(384, 256, {.kernel = 3, .padding = 1});
    convolution(256, 256, {.kernel = 3, .padding = 1});
    pooling();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(256 * 6 * 6, 4096);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(4096, 4096);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Linear>(4096, c.outputs);
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> alexnet() {
  return {{.name = "alexnet",
           .outputs = 1000,
           .input = {3, 224, 224},
           .choices = {dropout(0.5)},
           .counts = Counts{61'100'840, 0, 714'188'480},
           .build = build<AlexNet>()}};
}

}  // namespace fovea::models
