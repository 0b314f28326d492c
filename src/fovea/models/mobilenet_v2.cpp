#include <algorithm>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Inverted residual: 1x1 to `expansion` times the channels, depthwise, 1x1 back without an
/// activation, and a skip where the shape is unchanged.
class InvertedResidual : public nn::Module {
 public:
  InvertedResidual(const nn::Scope& s, int64_t in, int64_t out, int64_t expansion, int64_t stride)
      : Module(s), skip_(stride == 1 && in == out), conv(at("conv")) {
    using Options = nn::ConvNormActOptions;
    const int64_t hidden = in * expansion;
    if (expansion != 1) conv.add<nn::ConvNormAct<nn::ReLU6>>(in, hidden, Options{.kernel = 1});
    conv.add<nn::ConvNormAct<nn::ReLU6>>(hidden, hidden,
                                         Options{.stride = stride, .groups = hidden});
    nn::add_conv_norm_act<nn::Identity>(conv, hidden, out, {.kernel = 1});
  }

  Tensor forward(Tensor x) const override { return skip_ ? x + conv(x) : conv(x); }

 private:
  bool skip_;
  nn::Sequential conv;
};

/// One line of the paper's table 2: `count` blocks, the first of this stride.
struct MobileNetV2Stage {
  int64_t expansion, channels;
  int count;
  int64_t stride;
};
constexpr MobileNetV2Stage mobilenet_v2_stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                                                    {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                                                    {6, 320, 1, 1}};

/// Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks". Arrays have
/// torchvision's names.
class MobileNetV2 : public nn::Module {
 public:
  MobileNetV2(const nn::Scope& s, const Config& c)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier")) {
    using Options = nn::ConvNormActOptions;
    int64_t channels = round_channels(32 * c.choices.number("width"));
    features.add<nn::ConvNormAct<nn::ReLU6>>(c.input[0], channels, Options{.stride = 2});
    for (const MobileNetV2Stage& stage : mobilenet_v2_stages) {
      const int64_t out =
          round_channels(static_cast<double>(stage.channels) * c.choices.number("width"));
      for (int i = 0; i < stage.count; ++i) {
        features.add<InvertedResidual>(channels, out, stage.expansion, i == 0 ? stage.stride : 1);
        channels = out;
      }
    }
    const int64_t last = round_channels(1280 * std::max(1.0, c.choices.number("width")));
    features.add<nn::ConvNormAct<nn::ReLU6>>(channels, last, Options{.kernel = 1});
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(last, c.outputs);
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
std::vector<Entry> mobilenet_v2() {
  return {{.name = "mobilenet_v2",
           .outputs = 1000,
           .input = {3, 224, 224},
           .choices = {dropout(0.2), width()},
           .counts = Counts{3'504'872, 34'112, 300'774'272},
           .build = build<MobileNetV2>()}};
}

}  // namespace fovea::models
