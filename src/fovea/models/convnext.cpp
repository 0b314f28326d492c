#include <array>

#include "fovea/core/error.h"
#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What tells the nets of the family apart; each stage is twice as wide as the one before it.
struct ConvNeXtPlan {
  std::array<int, 4> depths;
  int64_t width;  ///< of the first stage
};

/// Layer norm, then a convolution that halves the image and doubles the channels.
class Downsampling : public nn::Sequential {
 public:
  Downsampling(const nn::Scope& s, int64_t in) : Sequential(s) {
    add<nn::LayerNormChannels>(in);
    add<nn::Conv2d>(in, 2 * in, nn::ConvOptions{.kernel = 2, .stride = 2});
  }
};

/// The layers before the classifier. In training, samples skip blocks at random, deeper ones more
/// often, up to `drop_path`.
class ConvNeXtFeatures : public LayeredBackbone {
 public:
  ConvNeXtFeatures(const nn::Scope& s, const ConvNeXtPlan& plan, int64_t in, double drop_path)
      : LayeredBackbone(s) {
    int total = 0, done = 0;
    for (int depth : plan.depths) total += depth;
    int64_t width = plan.width;
    auto& stem = add<nn::Sequential>();
    stem.add<nn::Conv2d>(in, width, nn::ConvOptions{.kernel = 4, .stride = 4});
    stem.add<nn::LayerNormChannels>(width);
    for (size_t i = 0; i < plan.depths.size(); ++i) {
      if (i > 0) {
        add<Downsampling>(width);
        width *= 2;
      }
      auto& stage = add<nn::Sequential>();
      for (int k = 0; k < plan.depths[i]; ++k) {
        stage.add<nn::ConvNeXtBlock>(
            width, nn::ConvNeXtOptions{.drop_path = drop_path * done++ / (total - 1)});
      }
      end_stage(width);
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::truncated_normal(0.02));
    nn::initialize<nn::Linear>(*this, nn::init::truncated_normal(0.02));
  }
};

/// Liu et al. 2022, "A ConvNet for the 2020s": a ResNet modernised after vision transformers.
/// Arrays have torchvision's names.
class ConvNeXt : public nn::Module {
 public:
  ConvNeXt(const nn::Scope& s, const Config& c, const ConvNeXtPlan& plan)
      : Module(s),
        features(at("features"), plan, c.input[0], c.choices.number("drop_path")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier")) {
    const int64_t channels = features.channels().back();
    classifier.add<nn::LayerNormChannels>(channels);
    classifier.add<nn::Flatten>();
    classifier.add<nn::Linear>(channels, c.outputs);
    nn::initialize<nn::Linear>(classifier, nn::init::truncated_normal(0.02));
  }

  Tensor forward(Tensor x) const override { return classifier(avgpool(features(x))); }

 private:
  ConvNeXtFeatures features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> convnext() {
  const auto entry = [](std::string name, const ConvNeXtPlan& plan, double rate,
                        const Counts& counts) {
    return Entry{
        .name = std::move(name),
        .outputs = 1000,
        .input = {3, 224, 224},
        .choices = {drop_path(rate)},
        .counts = counts,
        .build = build<ConvNeXt>(plan),
        .backbone = [plan](const nn::Scope& scope, const BackboneOptions& options) {
          if (options.norm) {
            throw Error(ErrorKind::usage, "convnext: the net has layer norms, which see no batches")
                .with("try", "--norm batch");
          }
          ConvNeXtPlan scaled = plan;
          scaled.width = round_channels(static_cast<double>(plan.width) * options.width);
          return std::make_unique<ConvNeXtFeatures>(scope, scaled, options.in_channels, 0.0);
        }};
  };
  return {entry("convnext_tiny", {{3, 3, 9, 3}, 96}, 0.1, {28'589'128, 0, 4'455'531'264}),
          entry("convnext_small", {{3, 3, 27, 3}, 96}, 0.4, {50'223'688, 0, 8'683'712'256}),
          entry("convnext_base", {{3, 3, 27, 3}, 128}, 0.5, {88'591'464, 0, 15'354'729'472}),
          entry("convnext_large", {{3, 3, 27, 3}, 192}, 0.5, {197'767'336, 0, 34'361'433'600})};
}

}  // namespace fovea::models
