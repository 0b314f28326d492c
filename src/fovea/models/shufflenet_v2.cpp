#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Half of the channels pass unchanged, the other half goes through three convolutions; then they
/// are shuffled. With stride 2 each half is computed from the entire x.
class ShuffleUnit : public nn::Module {
 public:
  ShuffleUnit(const nn::Scope& s, int64_t in, int64_t out, int64_t stride)
      : Module(s),
        half_(out / 2),
        splits_(stride == 1),
        branch1(at("branch1")),
        branch2(at("branch2")) {
    if (!splits_) {
      nn::add_conv_norm_act<nn::Identity>(branch1, in, in, {.stride = stride, .groups = in});
      nn::add_conv_norm_act(branch1, in, half_, {.kernel = 1});
    }
    nn::add_conv_norm_act(branch2, splits_ ? half_ : in, half_, {.kernel = 1});
    nn::add_conv_norm_act<nn::Identity>(branch2, half_, half_, {.stride = stride, .groups = half_});
    nn::add_conv_norm_act(branch2, half_, half_, {.kernel = 1});
  }

  Tensor forward(Tensor x) const override {
    const Tensors halves = splits_ ? split(x, {half_, half_}, 1) : Tensors{branch1(x), x};
    return channel_shuffle(concat({halves[0], branch2(halves[1])}, 1), 2);
  }

 private:
  int64_t half_;
  bool splits_;
  nn::Sequential branch1, branch2;
};

/// Units of one width; the first halves the image and widens.
class ShuffleNetStage : public nn::Sequential {
 public:
  ShuffleNetStage(const nn::Scope& s, int64_t in, int64_t out, int units) : Sequential(s) {
    add<ShuffleUnit>(in, out, 2);
    for (int i = 1; i < units; ++i) add<ShuffleUnit>(out, out, 1);
  }
};

/// Output channels of conv1, the three stages and conv5.
using Widths = std::array<int64_t, 5>;

/// Ma et al. 2018, "ShuffleNet V2: practical guidelines for efficient CNN architecture design".
/// Arrays have torchvision's names.
class ShuffleNetV2 : public nn::Module {
 public:
  ShuffleNetV2(const nn::Scope& s, const Config& c, const Widths& widths)
      : Module(s),
        conv1(at("conv1"), c.input[0], widths[0], {.stride = 2}),
        maxpool(at("maxpool"), {.kernel = 3, .stride = 2, .padding = 1}),
        stage2(at("stage2"), widths[0], widths[1], 4),
        stage3(at("stage3"), widths[1], widths[2], 8),
        stage4(at("stage4"), widths[2], widths[3], 4),
        conv5(at("conv5"), widths[3], widths[4], {.kernel = 1}),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), widths[4], c.outputs) {}

  Tensor forward(Tensor x) const override {
    x = maxpool(conv1(x));
    x = conv5(stage4(stage3(stage2(x))));
    return fc(flatten(avgpool(x)));
  }

 private:
  nn::ConvNormAct<> conv1;
  nn::MaxPool2d maxpool;
  ShuffleNetStage stage2, stage3, stage4;
  nn::ConvNormAct<> conv5;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> shufflenet_v2() {
  const auto entry = [](std::string name, const Widths& widths, const Counts& counts) {
    return Entry{.name = std::move(name),
                 .outputs = 1000,
                 .input = {3, 224, 224},
                 .counts = counts,
                 .build = build<ShuffleNetV2>(widths)};
  };
  return {entry("shufflenet_v2_x0_5", {24, 48, 96, 192, 1024}, {1'366'792, 7'952, 40'476'448}),
          entry("shufflenet_v2_x1_0", {24, 116, 232, 464, 1024}, {2'278'604, 16'180, 144'907'992}),
          entry("shufflenet_v2_x1_5", {24, 176, 352, 704, 1024}, {3'503'624, 23'440, 295'759'392}),
          entry("shufflenet_v2_x2_0", {24, 244, 488, 976, 2048}, {7'393'996, 33'716, 583'253'464})};
}

}  // namespace fovea::models
