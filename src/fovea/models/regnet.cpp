#include <cmath>

#include <fmt/format.h>

#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Options = nn::ConvNormActOptions;

/// What the paper's search found: depths and widths of the four stages, and channels per group.
struct RegNetPlan {
  std::vector<int> depths;
  std::vector<int64_t> widths;
  int64_t group_width;
};

/// 1x1, grouped 3x3, squeeze-and-excitation, 1x1, all of one width, and a skip.
class RegNetBlock : public nn::Module {
 public:
  RegNetBlock(const nn::Scope& s, int64_t in, int64_t out, int64_t stride, int64_t group_width,
              const nn::BatchNormOptions& norm)
      : Module(s), proj(projection(in, out, stride, norm)), f(at("f")) {
    f.add_named<nn::ConvNormAct<>>("a", in, out, Options{.kernel = 1, .norm = norm});
    f.add_named<nn::ConvNormAct<>>(
        "b", out, out, Options{.stride = stride, .groups = out / group_width, .norm = norm});
    f.add_named<nn::ConvSqueezeExcite<>>("se", out, std::lround(0.25 * static_cast<double>(in)));
    f.add_named<nn::ConvNormAct<nn::Identity>>("c", out, out, Options{.kernel = 1, .norm = norm});
  }

  Tensor forward(Tensor x) const override { return relu((proj ? (*proj)(x) : x) + f(x)); }

 private:
  using Projection = nn::ConvNormAct<nn::Identity>;
  std::optional<Projection> projection(int64_t in, int64_t out, int64_t stride,
                                       const nn::BatchNormOptions& norm) {
    if (in == out && stride == 1) return std::nullopt;
    return std::optional<Projection>(std::in_place, at("proj"), in, out,
                                     Options{.kernel = 1, .stride = stride, .norm = norm});
  }

  std::optional<Projection> proj;
  nn::Sequential f;
};

/// The stem and the stages, without a classifier.
class RegNetYBackbone : public Backbone {
 public:
  using Backbone::forward;

  RegNetYBackbone(const nn::Scope& s, const BackboneOptions& options, const RegNetPlan& plan)
      : Backbone(s),
        widths_(plan.widths),
        stem(at("stem"), options.in_channels, 32,
             {.stride = 2, .norm = options.norm.value_or(nn::BatchNormOptions{})}),
        trunk(at("trunk_output")) {
    int64_t in = 32;
    for (size_t i = 0; i < plan.widths.size(); ++i) {
      const std::string name = fmt::format("block{}", i + 1);
      auto& stage = trunk.add_named<nn::Sequential>(name);
      for (int k = 0; k < plan.depths[i]; ++k) {
        stage.add_named<RegNetBlock>(fmt::format("{}-{}", name, k), in, plan.widths[i],
                                     k == 0 ? 2 : 1, plan.group_width,
                                     options.norm.value_or(nn::BatchNormOptions{}));
        in = plan.widths[i];
      }
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }

  Tensors forward(const Tensor& x, Stages) const override {
    Tensors stages{stem(x)};
    for (const nn::Module* stage : trunk.children()) stages.push_back((*stage)(stages.back()));
    stages.erase(stages.begin());
    return stages;
  }
  std::vector<int64_t> channels() const override { return widths_; }

 private:
  std::vector<int64_t> widths_;
  nn::ConvNormAct<> stem;
  nn::Sequential trunk;
};

/// Radosavovic et al. 2020, "Designing network design spaces", the nets with
/// squeeze-and-excitation. Arrays have torchvision's names.
class RegNetY : public RegNetYBackbone {
 public:
  using RegNetYBackbone::forward;

  RegNetY(const nn::Scope& s, const Config& c, const RegNetPlan& plan)
      : RegNetYBackbone(s, {.in_channels = c.input[0]}, plan),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), plan.widths.back(), c.outputs) {
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override {
    return fc(flatten(avgpool(RegNetYBackbone::forward(x))));
  }

 private:
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> regnet() {
  const RegNetPlan plan{{1, 3, 6, 6}, {48, 104, 208, 440}, 8};
  return {{.name = "regnet_y_400mf",
           .outputs = 1000,
           .input = {3, 224, 224},
           .counts = Counts{4'344'144, 27'152, 401'842'848},
           .build = build<RegNetY>(plan),
           .backbone = [plan](const nn::Scope& scope, const BackboneOptions& options) {
             RegNetPlan scaled = plan;
             for (int64_t& width : scaled.widths)
               width = round_channels(static_cast<double>(width) * options.width);
             return std::make_unique<RegNetYBackbone>(scope, options, scaled);
           }}};
}

}  // namespace fovea::models
