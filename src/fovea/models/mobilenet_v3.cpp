#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

constexpr nn::BatchNormOptions usual_norm{.eps = 1e-3, .momentum = 0.01};

using Squeeze = nn::ConvSqueezeExcite<nn::ReLU, nn::Hardsigmoid>;

enum Activation { RE, HS };  ///< relu, hard swish

/// One line of the paper's tables: a block.
struct Row {
  int64_t kernel, hidden, out;
  bool squeezes;
  Activation activation;
  int64_t stride;
};

struct MobileNetV3Plan {
  std::vector<Row> rows;
  int64_t classifier;  ///< channels of the second-to-last layer
};

nn::InvertedResidualOptions options_of(const Row& row, int64_t hidden,
                                       const nn::BatchNormOptions& norm) {
  return {.kernel = row.kernel,
          .stride = row.stride,
          .squeezed = row.squeezes ? round_channels(static_cast<double>(hidden / 4)) : 0,
          .norm = norm};
}

/// The layers of Howard et al. 2019, "Searching for MobileNetV3", before the classifier. Arrays
/// have torchvision's names. A stage ends with the block that has the next stride, as in
/// torchvision.
class MobileNetV3Features : public LayeredBackbone {
 public:
  MobileNetV3Features(const nn::Scope& s, const std::vector<Row>& rows, double width,
                      const BackboneOptions& options)
      : LayeredBackbone(s) {
    const auto scaled = [&](int64_t channels) {
      return round_channels(static_cast<double>(channels) * width);
    };
    const nn::BatchNormOptions norm = options.norm.value_or(usual_norm);
    int64_t channels = scaled(16), stride = 2;
    add<nn::ConvNormAct<nn::Hardswish>>(options.in_channels, channels,
                                        nn::ConvNormActOptions{.stride = 2, .norm = norm});
    for (const Row& row : rows) {
      const int64_t hidden = scaled(row.hidden), out = scaled(row.out);
      stride *= row.stride;
      nn::InvertedResidualOptions block = options_of(row, hidden, norm);
      if (stride == 32 && options.dilated > 0) {
        block.stride = 1;
        block.dilation = 2;
      }
      if (row.activation == HS)
        add<nn::InvertedResidual<nn::Hardswish, Squeeze>>(channels, hidden, out, block);
      else
        add<nn::InvertedResidual<nn::ReLU, Squeeze>>(channels, hidden, out, block);
      channels = out;
      if (row.stride == 2 && stride >= 4 && stride < 32) end_stage(channels);
    }
    add<nn::ConvNormAct<nn::Hardswish>>(channels, 6 * channels,
                                        nn::ConvNormActOptions{.kernel = 1, .norm = norm});
    end_stage(6 * channels);
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }
};

/// The same with a classifier.
class MobileNetV3 : public nn::Module {
 public:
  MobileNetV3(const nn::Scope& s, const Config& c, const MobileNetV3Plan& plan)
      : Module(s),
        features(at("features"), plan.rows, c.choices.number("width"), {.in_channels = c.input[0]}),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier")) {
    const int64_t hidden =
        round_channels(static_cast<double>(plan.classifier) * c.choices.number("width"));
    classifier.add<nn::Linear>(features.channels().back(), hidden);
    classifier.add<nn::Hardswish>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(hidden, c.outputs);
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  MobileNetV3Features features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Sequential classifier;
};

const MobileNetV3Plan& large() {
  static const MobileNetV3Plan plan{{{3, 16, 16, false, RE, 1},
                                     {3, 64, 24, false, RE, 2},
                                     {3, 72, 24, false, RE, 1},
                                     {5, 72, 40, true, RE, 2},
                                     {5, 120, 40, true, RE, 1},
                                     {5, 120, 40, true, RE, 1},
                                     {3, 240, 80, false, HS, 2},
                                     {3, 200, 80, false, HS, 1},
                                     {3, 184, 80, false, HS, 1},
                                     {3, 184, 80, false, HS, 1},
                                     {3, 480, 112, true, HS, 1},
                                     {3, 672, 112, true, HS, 1},
                                     {5, 672, 160, true, HS, 2},
                                     {5, 960, 160, true, HS, 1},
                                     {5, 960, 160, true, HS, 1}},
                                    1280};
  return plan;
}

/// See mobilenet_v3_ssd: the layers in two parts, divided inside the block that has a stride of 32.
class SsdFeatures : public LayeredBackbone {
 public:
  SsdFeatures(const nn::Scope& s, const BackboneOptions& options) : LayeredBackbone(s) {
    using Layer = nn::ConvNormActOptions;
    const nn::BatchNormOptions norm = options.norm.value_or(usual_norm);
    nn::Sequential *part = &add<nn::Sequential>(), *block = nullptr;
    int64_t channels = 16, stride = 2;
    part->add<nn::ConvNormAct<nn::Hardswish>>(options.in_channels, channels,
                                              Layer{.stride = 2, .norm = norm});
    for (const Row& row : large().rows) {
      stride *= row.stride;
      const bool last_stage = stride == 32;
      const int64_t out = last_stage ? row.out / 2 : row.out;
      const int64_t hidden = last_stage && block != nullptr ? row.hidden / 2 : row.hidden;
      const nn::InvertedResidualOptions rest = options_of(row, hidden, norm);
      if (last_stage && block == nullptr) {  // its three layers, the first in this part
        part->add<nn::ConvNormAct<nn::Hardswish>>(channels, hidden,
                                                  Layer{.kernel = 1, .norm = norm});
        end_stage(hidden);
        part = &add<nn::Sequential>();
        block = &part->add<nn::Sequential>();
        block->add_named<nn::ConvNormAct<nn::Hardswish>>(
            "1", hidden, hidden,
            Layer{.kernel = row.kernel, .stride = row.stride, .groups = hidden, .norm = norm});
        block->add_named<Squeeze>("2", hidden, rest.squeezed);
        block->add_named<nn::ConvNormAct<nn::Identity>>("3", hidden, out,
                                                        Layer{.kernel = 1, .norm = norm});
      } else if (row.activation == HS) {
        part->add<nn::InvertedResidual<nn::Hardswish, Squeeze>>(channels, hidden, out, rest);
      } else {
        part->add<nn::InvertedResidual<nn::ReLU, Squeeze>>(channels, hidden, out, rest);
      }
      channels = out;
    }
    part->add<nn::ConvNormAct<nn::Hardswish>>(channels, 6 * channels,
                                              Layer{.kernel = 1, .norm = norm});
    end_stage(6 * channels);
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> mobilenet_v3() {
  const MobileNetV3Plan small{{{3, 16, 16, true, RE, 2},
                               {3, 72, 24, false, RE, 2},
                               {3, 88, 24, false, RE, 1},
                               {5, 96, 40, true, HS, 2},
                               {5, 240, 40, true, HS, 1},
                               {5, 240, 40, true, HS, 1},
                               {5, 120, 48, true, HS, 1},
                               {5, 144, 48, true, HS, 1},
                               {5, 288, 96, true, HS, 2},
                               {5, 576, 96, true, HS, 1},
                               {5, 576, 96, true, HS, 1}},
                              1024};
  const auto entry = [](std::string name, const MobileNetV3Plan& plan, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .choices = {dropout(0.2), width()},
                 .counts = counts,
                 .build = build<MobileNetV3>(plan),
                 .backbone = [=](const nn::Scope& scope, const BackboneOptions& options) {
                   return std::make_unique<MobileNetV3Features>(scope, plan.rows, options.width,
                                                                options);
                 }};
  };
  return {entry("mobilenet_v3_large", large(), {5'483'032, 24'400, 216'589'760}),
          entry("mobilenet_v3_small", small, {2'542'856, 12'112, 56'510'400})};
}

std::unique_ptr<Backbone> mobilenet_v3_ssd(const nn::Scope& scope, const BackboneOptions& options) {
  return std::make_unique<SsdFeatures>(scope, options);
}

}  // namespace fovea::models
