#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What tells the nets of the family apart.
struct DenseNetPlan {
  int64_t growth;             ///< channels that each layer adds
  std::array<int, 4> depths;  ///< layers of each block
  int64_t stem;               ///< channels of the first convolution
};

/// Between two blocks: half of the channels, half of the image.
class Transition : public nn::Sequential {
 public:
  Transition(const nn::Scope& s, int64_t in) : Sequential(s) {
    add_named<nn::BatchNorm2d>("norm", in);
    add_named<nn::ReLU>("relu");
    add_named<nn::Conv2d>("conv", in, in / 2, nn::ConvOptions{.kernel = 1, .bias = false});
    add_named<nn::AvgPool2d>("pool", 2);
  }
};

/// All before global average pooling: the stem, then alternating blocks and transitions.
class Features : public nn::Sequential {
 public:
  Features(const nn::Scope& s, const Config& c, const DenseNetPlan& plan)
      : Sequential(s), channels(plan.stem) {
    const bool large = c.choices.word("stem") == "imagenet";
    add_named<nn::Conv2d>(
        "conv0", c.input[0], channels,
        large ? nn::ConvOptions{.kernel = 7, .stride = 2, .padding = 3, .bias = false}
              : nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false});
    add_named<nn::BatchNorm2d>("norm0", channels);
    add_named<nn::ReLU>("relu0");
    if (large)
      add_named<nn::MaxPool2d>("pool0", PoolOptions{.kernel = 3, .stride = 2, .padding = 1});
    for (size_t i = 0; i < plan.depths.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      add_named<nn::DenseBlock>("denseblock" + number, plan.depths[i], channels, plan.growth);
      channels += plan.depths[i] * plan.growth;
      if (i + 1 == plan.depths.size()) break;
      add_named<Transition>("transition" + number, channels);
      channels /= 2;
    }
    add_named<nn::BatchNorm2d>("norm5", channels);
  }

  int64_t channels;  ///< of the output
};

/// Huang et al. 2017, "Densely connected convolutional networks": each layer receives the outputs
/// of all earlier layers of its block. Arrays have torchvision's names.
class DenseNet : public nn::Module {
 public:
  DenseNet(const nn::Scope& s, const Config& c, const DenseNetPlan& plan)
      : Module(s),
        features(at("features"), c, plan),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier"), features.channels, c.outputs) {
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal());
    classifier.bias->initialize(nn::init::constant(0));
  }

  Tensor forward(Tensor x) const override {
    return classifier(flatten(avgpool(relu(features(x)))));
  }

 private:
  Features features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear classifier;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> densenet() {
  const auto entry = [](std::string name, const DenseNetPlan& plan, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .choices = {stem("imagenet")},
                 .counts = counts,
                 .build = build<DenseNet>(plan)};
  };
  return {entry("densenet121", {32, {6, 12, 24, 16}, 64}, {7'978'856, 83'648, 2'834'161'664}),
          entry("densenet161", {48, {6, 12, 36, 24}, 96}, {28'681'000, 219'936, 7'727'907'072}),
          entry("densenet169", {32, {6, 12, 32, 32}, 64}, {14'149'480, 158'400, 3'359'843'328}),
          entry("densenet201", {32, {6, 12, 48, 32}, 64}, {20'013'928, 229'056, 4'291'365'888})};
}

}  // namespace fovea::models
