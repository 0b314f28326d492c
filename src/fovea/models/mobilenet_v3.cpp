#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

constexpr nn::BatchNormOptions norm{.eps = 1e-3, .momentum = 0.01};

using Squeeze = nn::ConvSqueezeExcite<nn::ReLU, nn::Hardsigmoid>;

enum Activation { RE, HS };  ///< relu, hard swish

/// One line of the paper's tables: a block.
struct Row {
  int64_t kernel, hidden, out;
  bool squeezes;
  Activation activation;
  int64_t stride;
};

struct Plan {
  std::vector<Row> rows;
  int64_t classifier;  ///< channels of the second-to-last layer
};

/// Howard et al. 2019, "Searching for MobileNetV3". Arrays have torchvision's names.
class MobileNetV3 : public nn::Module {
 public:
  MobileNetV3(const nn::Scope& s, const Config& c, const Plan& plan)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier")) {
    const auto scaled = [&](int64_t channels) {
      return round_channels(static_cast<double>(channels) * c.choices.number("width"));
    };
    int64_t channels = scaled(16);
    features.add<nn::ConvNormAct<nn::Hardswish>>(c.input[0], channels,
                                                 nn::ConvNormActOptions{.stride = 2, .norm = norm});
    for (const Row& row : plan.rows) {
      const int64_t hidden = scaled(row.hidden), out = scaled(row.out);
      const int64_t squeezed = row.squeezes ? round_channels(static_cast<double>(hidden / 4)) : 0;
      const nn::InvertedResidualOptions options{
          .kernel = row.kernel, .stride = row.stride, .squeezed = squeezed, .norm = norm};
      if (row.activation == HS)
        features.add<nn::InvertedResidual<nn::Hardswish, Squeeze>>(channels, hidden, out, options);
      else
        features.add<nn::InvertedResidual<nn::ReLU, Squeeze>>(channels, hidden, out, options);
      channels = out;
    }
    features.add<nn::ConvNormAct<nn::Hardswish>>(channels, 6 * channels,
                                                 nn::ConvNormActOptions{.kernel = 1, .norm = norm});
    classifier.add<nn::Linear>(6 * channels, scaled(plan.classifier));
    classifier.add<nn::Hardswish>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(scaled(plan.classifier), c.outputs);
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
std::vector<Entry> mobilenet_v3() {
  const Plan large{{{3, 16, 16, false, RE, 1},
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
  const Plan small{{{3, 16, 16, true, RE, 2},
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
  const auto entry = [](std::string name, const Plan& plan, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .choices = {dropout(0.2), width()},
                 .counts = counts,
                 .build = build<MobileNetV3>(plan)};
  };
  return {entry("mobilenet_v3_large", large, {5'483'032, 24'400, 216'589'760}),
          entry("mobilenet_v3_small", small, {2'542'856, 12'112, 56'510'400})};
}

}  // namespace fovea::models
