#include <cmath>
#include <optional>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// The forms of a convolution over time and space that Tran et al. compare.
enum class Kind : uint8_t {
  full,      ///< 3x3x3
  split,     ///< 1x3x3, norm, relu, 3x1x1: "(2+1)D"
  in_frame,  ///< 1x3x3, for each frame alone
};

/// What tells the nets apart: the form in the first layer, and in the other three.
struct VideoResNetPlan {
  Kind first, rest;
};

/// A kernel x kernel convolution of each frame, or one of `kernel` frames at each pixel.
nn::ConvOptions over_space(int64_t kernel, int64_t stride) {
  return {.kernel = {1, kernel, kernel},
          .stride = {1, stride, stride},
          .padding = {0, kernel / 2, kernel / 2},
          .bias = false};
}
nn::ConvOptions over_time(int64_t stride) {
  return {.kernel = {3, 1, 1}, .stride = {stride, 1, 1}, .padding = {1, 0, 0}, .bias = false};
}

/// Appends a convolution of that form, which gives `out` channels. `between`: channels inside a
/// split one.
void add_convolution(nn::Sequential& to, Kind kind, int64_t in, int64_t out, int64_t between,
                     int64_t stride) {
  if (kind == Kind::full) {
    to.add<nn::Conv3d>(in, out,
                       nn::ConvOptions{.kernel = 3, .stride = stride, .padding = 1, .bias = false});
  } else if (kind == Kind::in_frame) {
    to.add<nn::Conv3d>(in, out, over_space(3, stride));
  } else {
    auto& parts = to.add<nn::Sequential>();
    parts.add<nn::Conv3d>(in, between, over_space(3, stride));
    parts.add<nn::BatchNorm3d>(between);
    parts.add<nn::ReLU>();
    parts.add<nn::Conv3d>(between, out, over_time(stride));
  }
}

/// Two convolutions and a skip connection: x [N, in, T, H, W] gives [N, out, T', H', W'].
class VideoResNetBlock : public nn::Module {
 public:
  VideoResNetBlock(const nn::Scope& s, Kind kind, int64_t in, int64_t out, int64_t stride)
      : Module(s), conv1(at("conv1")), conv2(at("conv2")) {
    // So many that a split convolution has as many weights as a full one.
    const int64_t between = in * out * 27 / (in * 9 + 3 * out);
    add_convolution(conv1, kind, in, out, between, stride);
    conv1.add<nn::BatchNorm3d>(out);
    conv1.add<nn::ReLU>();
    add_convolution(conv2, kind, out, out, between, 1);
    conv2.add<nn::BatchNorm3d>(out);
    if (in == out && stride == 1) return;
    downsample.emplace(at("downsample"));
    const int64_t of_time = kind == Kind::in_frame ? 1 : stride;
    downsample->add<nn::Conv3d>(
        in, out, nn::ConvOptions{.kernel = 1, .stride = {of_time, stride, stride}, .bias = false});
    downsample->add<nn::BatchNorm3d>(out);
  }

  Tensor forward(Tensor x) const override {
    const Tensor y = conv2(conv1(x));
    return relu(y + (downsample ? (*downsample)(x) : x));
  }

 private:
  nn::Sequential conv1, conv2;
  std::optional<nn::Sequential> downsample;
};

class VideoResNetLayer : public nn::Sequential {
 public:
  VideoResNetLayer(const nn::Scope& s, Kind kind, int64_t in, int64_t out, int64_t stride)
      : Sequential(s) {
    add<VideoResNetBlock>(kind, in, out, stride);
    add<VideoResNetBlock>(kind, out, out, 1);
  }
};

/// Tran et al. 2018, "A closer look at spatiotemporal convolutions for action recognition": a
/// ResNet-18 for clips x [N, C, T, H, W]. Arrays have torchvision's names. `width` is a factor of
/// all channel counts.
class VideoResNet : public nn::Module {
 public:
  VideoResNet(const nn::Scope& s, const Config& c, const VideoResNetPlan& plan)
      : VideoResNet(s, c, plan,
                    std::max<int64_t>(std::llround(64 * c.choices.number("width")), 1)) {}

  Tensor forward(Tensor x) const override {
    return fc(flatten(avgpool(layer4(layer3(layer2(layer1(stem(x))))))));
  }

 private:
  VideoResNet(const nn::Scope& s, const Config& c, const VideoResNetPlan& plan, int64_t width)
      : Module(s),
        stem(at("stem")),
        layer1(at("layer1"), plan.first, width, width, 1),
        layer2(at("layer2"), plan.rest, width, 2 * width, 2),
        layer3(at("layer3"), plan.rest, 2 * width, 4 * width, 2),
        layer4(at("layer4"), plan.rest, 4 * width, 8 * width, 2),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), 8 * width, c.outputs) {
    add_stem(plan, c.input[0], width);
    nn::initialize<nn::Conv3d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  void add_stem(const VideoResNetPlan& plan, int64_t in, int64_t width) {
    constexpr int64_t between = 45;
    if (plan.first == Kind::split) {
      stem.add<nn::Conv3d>(in, between, over_space(7, 2));
      stem.add<nn::BatchNorm3d>(between);
      stem.add<nn::ReLU>();
      stem.add<nn::Conv3d>(between, width, over_time(1));
    } else {
      nn::ConvOptions options = over_space(7, 2);
      options.kernel = {3, 7, 7};
      options.padding = {1, 3, 3};
      stem.add<nn::Conv3d>(in, width, options);
    }
    stem.add<nn::BatchNorm3d>(width);
    stem.add<nn::ReLU>();
  }

  nn::Sequential stem;
  VideoResNetLayer layer1, layer2, layer3, layer4;
  nn::AdaptiveAvgPool3d avgpool;
  nn::Linear fc;
};

Entry video_resnet(std::string name, const VideoResNetPlan& plan, const Counts& counts) {
  return {.name = std::move(name),
          .outputs = 400,
          .input = {3, 16, 112, 112},
          .choices = {width()},
          .counts = counts,
          .build = build<VideoResNet>(plan)};
}

}  // namespace

// Counts: torchvision's nets.
std::vector<Entry> video_resnet() {
  return {video_resnet("r3d_18", {Kind::full, Kind::full}, {33'371'472, 9'600, 40'696'553'472}),
          video_resnet("mc3_18", {Kind::full, Kind::in_frame}, {11'695'440, 9'600, 43'342'635'008}),
          video_resnet("r2plus1d_18", {Kind::split, Kind::split},
                       {31'505'325, 25'350, 40'519'080'960})};
}

}  // namespace fovea::models
