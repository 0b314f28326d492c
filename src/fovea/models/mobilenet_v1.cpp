#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision
/// applications": after the first, each convolution is depthwise, then pointwise.
class MobileNetV1 : public nn::Module {
 public:
  MobileNetV1(const nn::Scope& s, const Config& c)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier"), round_channels(1024 * c.choices.number("width")), c.outputs) {
    int64_t channels = round_channels(32 * c.choices.number("width"));
    features.add<nn::ConvNormAct<>>(c.input[0], channels, nn::ConvNormActOptions{.stride = 2});
    for (const auto& [width, stride] : {std::pair{64, 1},
                                        {128, 2},
                                        {128, 1},
                                        {256, 2},
                                        {256, 1},
                                        {512, 2},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {512, 1},
                                        {1024, 2},
                                        {1024, 1}}) {
      const int64_t out = round_channels(width * c.choices.number("width"));
      features.add<nn::DepthwiseSeparable>(channels, out,
                                           nn::DepthwiseSeparableOptions{.stride = stride});
      channels = out;
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear classifier;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> mobilenet_v1() {
  return {{.name = "mobilenet_v1",
           .outputs = 1000,
           .input = {3, 224, 224},
           .choices = {width()},
           .counts = Counts{4'231'976, 21'888, 568'740'352},
           .build = build<MobileNetV1>()}};
}

}  // namespace fovea::models
