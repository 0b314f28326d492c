#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Blocks of one width; the first takes the stride and widens.
template <class Block>
class Layer : public nn::Sequential {
 public:
  template <class... Options>
  Layer(const nn::Scope& s, int64_t in, int64_t width, int depth, int64_t stride,
        const Options&... options)
      : Sequential(s) {
    add<Block>(in, width, stride, options...);
    for (int i = 1; i < depth; ++i) add<Block>(Block::expansion * width, width, 1, options...);
  }
};

/// How many blocks each of the four layers has.
using Depths = std::array<int, 4>;

/// The nets of He et al. 2015, "Deep residual learning for image recognition". Arrays have
/// torchvision's names.
template <class Block>
class ResNet : public nn::Module {
 public:
  template <class... Options>
  ResNet(const nn::Scope& s, const Config& c, const Depths& depths, const Options&... options)
      : Module(s),
        conv1(at("conv1"), c.input[0], 64,
              c.stem == "imagenet"
                  ? nn::ConvOptions{.kernel = 7, .stride = 2, .padding = 3, .bias = false}
                  : nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false}),
        bn1(at("bn1"), 64),
        maxpool(c.stem == "imagenet" ? pooling() : std::nullopt),
        layer1(at("layer1"), 64, 64, depths[0], 1, options...),
        layer2(at("layer2"), 64 * Block::expansion, 128, depths[1], 2, options...),
        layer3(at("layer3"), 128 * Block::expansion, 256, depths[2], 2, options...),
        layer4(at("layer4"), 256 * Block::expansion, 512, depths[3], 2, options...),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), 512 * Block::expansion, c.classes) {
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }

  Tensor forward(Tensor x) const override {
    x = relu(bn1(conv1(x)));
    if (maxpool) x = (*maxpool)(x);
    x = layer4(layer3(layer2(layer1(x))));
    return fc(flatten(avgpool(x)));
  }

 private:
  std::optional<nn::MaxPool2d> pooling() {
    return std::optional<nn::MaxPool2d>(std::in_place, at("maxpool"),
                                        PoolOptions{.kernel = 3, .stride = 2, .padding = 1});
  }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  std::optional<nn::MaxPool2d> maxpool;
  Layer<Block> layer1, layer2, layer3, layer4;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

template <class Block, class... Options>
Entry resnet(std::string name, const Depths& depths, const Options&... options) {
  Config defaults = name.ends_with("_cifar") ? Config{} : imagenet();
  defaults.stem = name.ends_with("_cifar") ? "cifar" : "imagenet";
  return {.name = std::move(name),
          .defaults = std::move(defaults),
          .build = build<ResNet<Block>>(depths, options...)};
}

}  // namespace

std::vector<Entry> resnet() {
  using Basic = nn::BasicBlock;
  using Bottleneck = nn::Bottleneck;
  using Wider = nn::BottleneckOptions;
  std::vector<Entry> entries{
      resnet<Basic>("resnet18", {2, 2, 2, 2}),
      resnet<Basic>("resnet34", {3, 4, 6, 3}),
      resnet<Bottleneck>("resnet50", {3, 4, 6, 3}),
      resnet<Bottleneck>("resnet101", {3, 4, 23, 3}),
      resnet<Bottleneck>("resnet152", {3, 8, 36, 3}),
      resnet<Bottleneck>("resnext50_32x4d", {3, 4, 6, 3}, Wider{32, 4}),
      resnet<Bottleneck>("resnext101_32x8d", {3, 4, 23, 3}, Wider{32, 8}),
      resnet<Bottleneck>("wide_resnet50_2", {3, 4, 6, 3}, Wider{1, 128}),
      resnet<Bottleneck>("wide_resnet101_2", {3, 4, 23, 3}, Wider{1, 128}),
      resnet<Basic>("resnet18_cifar", {2, 2, 2, 2}),
      resnet<Basic>("resnet34_cifar", {3, 4, 6, 3}),
      resnet<Bottleneck>("resnet50_cifar", {3, 4, 6, 3}),
      resnet<Bottleneck>("resnet101_cifar", {3, 4, 23, 3}),
      resnet<Bottleneck>("resnet152_cifar", {3, 8, 36, 3}),
      resnet<nn::SEBasicBlock>("se_resnet18_cifar", {2, 2, 2, 2}),
      resnet<Basic>("mini_resnet", {2, 2, 2, 2}),
  };
  entries.back().defaults.classes = 10;  // small images, though the stem is for large ones
  entries.back().defaults.input = Shape{3, 32, 32};
  return entries;
}

}  // namespace fovea::models
