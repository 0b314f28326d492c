#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Blocks of one width; the first takes the stride and widens.
template <class Block>
class Layer : public nn::Sequential {
 public:
  Layer(const nn::Scope& s, int64_t in, int64_t width, int depth, int64_t stride) : Sequential(s) {
    add<Block>(in, width, stride);
    for (int i = 1; i < depth; ++i) add<Block>(Block::expansion * width, width, 1);
  }
};

/// How many blocks each of the four layers has.
using Depths = std::array<int, 4>;

/// The ImageNet ResNets of He et al. 2015, "Deep residual learning for image recognition", with the
/// stem that 32x32 images want: one 3x3 convolution of stride 1, no pooling. Arrays have
/// torchvision's names.
template <class Block>
class ResNet : public nn::Module {
 public:
  ResNet(const nn::Scope& s, const Config& c, const Depths& depths)
      : Module(s),
        conv1(at("conv1"), c.input[0], 64, {.kernel = 3, .padding = 1, .bias = false}),
        bn1(at("bn1"), 64),
        layer1(at("layer1"), 64, 64, depths[0], 1),
        layer2(at("layer2"), 64 * Block::expansion, 128, depths[1], 2),
        layer3(at("layer3"), 128 * Block::expansion, 256, depths[2], 2),
        layer4(at("layer4"), 256 * Block::expansion, 512, depths[3], 2),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), 512 * Block::expansion, c.classes) {
    nn::for_each<nn::Conv2d>(*this, [](nn::Conv2d& conv) {
      conv.weight.initialize(nn::init::kaiming_normal_fan_out());
    });
  }

  Tensor forward(Tensor x) const override {
    x = relu(bn1(conv1(x)));
    x = layer4(layer3(layer2(layer1(x))));
    return fc(flatten(avgpool(x)));
  }

 private:
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  Layer<Block> layer1, layer2, layer3, layer4;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

template <class Block>
auto resnet(const Depths& depths) {
  return [depths](const nn::Scope& s, const Config& c) -> std::unique_ptr<nn::Module> {
    return std::make_unique<ResNet<Block>>(s, c, depths);
  };
}

}  // namespace

std::vector<Entry> resnet_cifar() {
  return {
      {.name = "resnet18_cifar", .defaults = {}, .build = resnet<nn::BasicBlock>({2, 2, 2, 2})},
      {.name = "resnet34_cifar", .defaults = {}, .build = resnet<nn::BasicBlock>({3, 4, 6, 3})},
      {.name = "resnet50_cifar", .defaults = {}, .build = resnet<nn::Bottleneck>({3, 4, 6, 3})},
      {.name = "resnet101_cifar", .defaults = {}, .build = resnet<nn::Bottleneck>({3, 4, 23, 3})},
      {.name = "resnet152_cifar", .defaults = {}, .build = resnet<nn::Bottleneck>({3, 8, 36, 3})},
      {.name = "se_resnet18_cifar",
       .defaults = {},
       .build = resnet<nn::SEBasicBlock>({2, 2, 2, 2})},
  };
}

}  // namespace fovea::models
