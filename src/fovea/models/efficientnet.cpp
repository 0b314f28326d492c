#include <cmath>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Block = nn::InvertedResidual<nn::SiLU, nn::ConvSqueezeExcite<nn::SiLU, nn::Sigmoid>>;
using ConvNormSilu = nn::ConvNormAct<nn::SiLU>;

/// One line of the paper's table 1: blocks of B0.
struct EfficientNetStage {
  int64_t expansion, kernel, stride, channels;
  int count;
};
constexpr EfficientNetStage efficientnet_stages[] = {
    {1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

/// What B0 is scaled by.
struct Scale {
  double width, depth;
  nn::BatchNormOptions norm = {};
};

/// Tan and Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks".
/// Arrays have torchvision's names. In training, samples skip blocks at random, deeper ones more
/// often, up to `drop_path`.
class EfficientNet : public nn::Module {
 public:
  EfficientNet(const nn::Scope& s, const Config& c, const Scale& scale)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier")) {
    const auto widened = [&](int64_t channels) {
      return round_channels(static_cast<double>(channels) * scale.width);
    };
    const auto deepened = [&](int count) {
      return static_cast<int>(std::ceil(count * scale.depth));
    };
    int total = 0, done = 0;
    for (const EfficientNetStage& stage : efficientnet_stages) total += deepened(stage.count);

    int64_t channels = widened(32);
    features.add<ConvNormSilu>(c.input[0], channels,
                               nn::ConvNormActOptions{.stride = 2, .norm = scale.norm});
    for (const EfficientNetStage& stage : efficientnet_stages) {
      auto& blocks = features.add<nn::Sequential>();
      const int64_t out = widened(stage.channels);
      for (int i = 0; i < deepened(stage.count); ++i) {
        blocks.add<Block>(
            channels, stage.expansion * channels, out,
            nn::InvertedResidualOptions{.kernel = stage.kernel,
                                        .stride = i == 0 ? stage.stride : 1,
                                        .squeezed = channels / 4,
                                        .drop_path = c.choices.number("drop_path") * done++ / total,
                                        .norm = scale.norm});
        channels = out;
      }
    }
    features.add<ConvNormSilu>(channels, 4 * channels,
                               nn::ConvNormActOptions{.kernel = 1, .norm = scale.norm});
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(4 * channels, c.outputs);
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this,
                               nn::init::uniform(1 / std::sqrt(static_cast<double>(c.outputs))));
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> efficientnet() {
  constexpr nn::BatchNormOptions slow{.eps = 1e-3, .momentum = 0.01};
  // `side` is that of the images that torchvision's weights are used with.
  const auto entry = [](std::string name, int64_t side, double dropped, const Scale& scale,
                        const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, side, side},
                 .choices = {dropout(dropped), drop_path(0.2)},
                 .counts = counts,
                 .build = build<EfficientNet>(scale)};
  };
  return {
      entry("efficientnet_b0", 224, 0.2, {1.0, 1.0}, {5'288'548, 42'016, 385'814'752}),
      entry("efficientnet_b1", 240, 0.2, {1.0, 1.1}, {7'794'184, 62'048, 686'802'832}),
      entry("efficientnet_b2", 288, 0.3, {1.1, 1.2}, {9'109'994, 67'568, 1'087'529'456}),
      entry("efficientnet_b3", 300, 0.3, {1.2, 1.4}, {12'233'232, 87'296, 1'827'141'392}),
      entry("efficientnet_b4", 380, 0.4, {1.4, 1.8}, {19'341'616, 125'200, 4'393'771'024}),
      entry("efficientnet_b5", 456, 0.4, {1.6, 2.2, slow}, {30'389'784, 172'736, 10'266'384'752}),
      entry("efficientnet_b6", 528, 0.5, {1.8, 2.6, slow}, {43'040'704, 224'432, 19'067'593'536}),
      entry("efficientnet_b7", 600, 0.5, {2.0, 3.1, slow}, {66'347'960, 310'720, 37'745'884'192})};
}

}  // namespace fovea::models
