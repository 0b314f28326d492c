#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Three pairs of 3x3 convolutions with norms, the first two each followed by pooling, the last by
/// global average pooling.
class SimpleCnnDeep : public nn::Module {
 public:
  SimpleCnnDeep(const nn::Scope& s, const Config& c)
      : Module(s), features(at("features")), classifier(at("classifier")) {
    int64_t channels = c.input[0];
    for (int64_t width : {64, 128, 256}) {
      nn::add_conv_norm_act(features, channels, width, {.bias = true});
      nn::add_conv_norm_act(features, width, width, {.bias = true});
      if (width < 256) features.add<nn::MaxPool2d>(2);
      channels = width;
    }
    features.add<nn::AdaptiveAvgPool2d>(1);
    classifier.add<nn::Flatten>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(256, c.outputs);
  }

  Tensor forward(Tensor x) const override { return classifier(features(x)); }

 private:
  nn::Sequential features, classifier;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> simple_cnn_deep() {
  return {{.name = "simple_cnn_deep",
           .choices = {dropout(0.5)},
           .counts = Counts{1'149'770, 1'792, 152'766'976},
           .build = build<SimpleCnnDeep>()}};
}

}  // namespace fovea::models
