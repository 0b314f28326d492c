#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Three 3x3 convolutions with norms, each followed by pooling, then global average pooling and a
/// hidden layer of 128.
class SimpleCnnGap : public nn::Module {
 public:
  SimpleCnnGap(const nn::Scope& s, const Config& c)
      : Module(s), features(at("features")), classifier(at("classifier")) {
    int64_t channels = c.input[0];
    for (int64_t width : {64, 128, 256}) {
      nn::add_conv_norm_act(features, channels, width, {.bias = true});
      features.add<nn::MaxPool2d>(2);
      channels = width;
    }
    classifier.add<nn::AdaptiveAvgPool2d>(1);
    classifier.add<nn::Flatten>();
    classifier.add<nn::Linear>(256, 128);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(128, c.outputs);
  }

  Tensor forward(Tensor x) const override { return classifier(features(x)); }

 private:
  nn::Sequential features, classifier;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> simple_cnn_gap() {
  return {{.name = "simple_cnn_gap",
           .input = {3, 224, 224},
           .choices = {dropout(0.5)},
           .counts = Counts{405'898, 896, 1'936'426'240},
           .build = build<SimpleCnnGap>()}};
}

}  // namespace fovea::models
