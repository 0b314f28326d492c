#include <cmath>

#include <fmt/format.h>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Options = nn::ConvNormActOptions;

/// What the paper's search found: depths and widths of the four stages, and channels per group.
struct Plan {
  std::vector<int> depths;
  std::vector<int64_t> widths;
  int64_t group_width;
};

/// 1x1, grouped 3x3, squeeze-and-excitation, 1x1, all of one width, and a skip.
class Block : public nn::Module {
 public:
  Block(const nn::Scope& s, int64_t in, int64_t out, int64_t stride, int64_t group_width)
      : Module(s), proj(projection(in, out, stride)), f(at("f")) {
    f.add_named<nn::ConvNormAct<>>("a", in, out, Options{.kernel = 1});
    f.add_named<nn::ConvNormAct<>>("b", out, out,
                                   Options{.stride = stride, .groups = out / group_width});
    f.add_named<nn::ConvSqueezeExcite<>>("se", out, std::lround(0.25 * static_cast<double>(in)));
    f.add_named<nn::ConvNormAct<nn::Identity>>("c", out, out, Options{.kernel = 1});
  }

  Tensor forward(Tensor x) const override { return relu((proj ? (*proj)(x) : x) + f(x)); }

 private:
  using Projection = nn::ConvNormAct<nn::Identity>;
  std::optional<Projection> projection(int64_t in, int64_t out, int64_t stride) {
    if (in == out && stride == 1) return std::nullopt;
    return std::optional<Projection>(std::in_place, at("proj"), in, out,
                                     Options{.kernel = 1, .stride = stride});
  }

  std::optional<Projection> proj;
  nn::Sequential f;
};

/// Radosavovic et al. 2020, "Designing network design spaces", the nets with
/// squeeze-and-excitation. Arrays have torchvision's names.
class RegNetY : public nn::Module {
 public:
  RegNetY(const nn::Scope& s, const Config& c, const Plan& plan)
      : Module(s),
        stem(at("stem"), c.input[0], 32, {.stride = 2}),
        trunk(at("trunk_output")),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), plan.widths.back(), c.outputs) {
    int64_t channels = 32;
    for (size_t i = 0; i < plan.widths.size(); ++i) {
      const std::string name = fmt::format("block{}", i + 1);
      auto& stage = trunk.add_named<nn::Sequential>(name);
      for (int k = 0; k < plan.depths[i]; ++k) {
        stage.add_named<Block>(fmt::format("{}-{}", name, k), channels, plan.widths[i],
                               k == 0 ? 2 : 1, plan.group_width);
        channels = plan.widths[i];
      }
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return fc(flatten(avgpool(trunk(stem(x))))); }

 private:
  nn::ConvNormAct<> stem;
  nn::Sequential trunk;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> regnet() {
  return {{.name = "regnet_y_400mf",
           .outputs = 1000,
           .input = {3, 224, 224},
           .counts = Counts{4'344'144, 27'152, 401'842'848},
           .build = build<RegNetY>(Plan{{1, 3, 6, 6}, {48, 104, 208, 440}, 8})}};
}

}  // namespace fovea::models
