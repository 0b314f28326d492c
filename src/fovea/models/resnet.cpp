#include <array>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Blocks of one width; the first has the stride and widens.
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
              c.choices.word("stem") == "imagenet"
                  ? nn::ConvOptions{.kernel = 7, .stride = 2, .padding = 3, .bias = false}
                  : nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false}),
        bn1(at("bn1"), 64),
        maxpool(c.choices.word("stem") == "imagenet" ? pooling() : std::nullopt),
        layer1(at("layer1"), 64, 64, depths[0], 1, options...),
        layer2(at("layer2"), 64 * Block::expansion, 128, depths[1], 2, options...),
        layer3(at("layer3"), 128 * Block::expansion, 256, depths[2], 2, options...),
        layer4(at("layer4"), 256 * Block::expansion, 512, depths[3], 2, options...),
        avgpool(at("avgpool"), 1),
        fc(at("fc"), 512 * Block::expansion, c.outputs) {
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

/// Those whose name ends in "_cifar" are for small images.
template <class Block, class... Options>
Entry resnet(std::string name, const Depths& depths, const Counts& counts,
             const Options&... options) {
  const bool small = name.ends_with("_cifar");
  return {.name = std::move(name),
          .outputs = small ? 10 : 1000,
          .input = small ? Shape{3, 32, 32} : Shape{3, 224, 224},
          .choices = {stem(small ? "cifar" : "imagenet")},
          .counts = counts,
          .build = build<ResNet<Block>>(depths, options...)};
}

}  // namespace

// Counts: torchvision's nets; of those for CIFAR the same nets in PyTorch.
std::vector<Entry> resnet() {
  using Basic = nn::BasicBlock;
  using Bottleneck = nn::Bottleneck;
  using Wider = nn::BottleneckOptions;
  std::vector<Entry> entries{
      resnet<Basic>("resnet18", {2, 2, 2, 2}, {11'689'512, 9'600, 1'814'073'344}),
      resnet<Basic>("resnet34", {3, 4, 6, 3}, {21'797'672, 17'024, 3'663'761'408}),
      resnet<Bottleneck>("resnet50", {3, 4, 6, 3}, {25'557'032, 53'120, 4'089'184'256}),
      resnet<Bottleneck>("resnet101", {3, 4, 23, 3}, {44'549'160, 105'344, 7'801'405'440}),
      resnet<Bottleneck>("resnet152", {3, 8, 36, 3}, {60'192'808, 151'424, 11'513'626'624}),
      resnet<Bottleneck>("resnext50_32x4d", {3, 4, 6, 3}, {25'028'904, 68'224, 4'230'479'872},
                         Wider{32, 4}),
      resnet<Bottleneck>("resnext101_32x8d", {3, 4, 23, 3}, {88'791'336, 202'880, 16'414'015'488},
                         Wider{32, 8}),
      resnet<Bottleneck>("wide_resnet50_2", {3, 4, 6, 3}, {68'883'240, 68'224, 11'398'021'120},
                         Wider{1, 128}),
      resnet<Bottleneck>("wide_resnet101_2", {3, 4, 23, 3}, {126'886'696, 137'856, 22'753'050'624},
                         Wider{1, 128}),
      resnet<Basic>("resnet18_cifar", {2, 2, 2, 2}, {11'173'962, 9'600, 555'422'720}),
      resnet<Basic>("resnet34_cifar", {3, 4, 6, 3}, {21'282'122, 17'024, 1'159'402'496}),
      resnet<Bottleneck>("resnet50_cifar", {3, 4, 6, 3}, {23'520'842, 53'120, 1'297'829'888}),
      resnet<Bottleneck>("resnet101_cifar", {3, 4, 23, 3}, {42'512'970, 105'344, 2'509'983'744}),
      resnet<Bottleneck>("resnet152_cifar", {3, 8, 36, 3}, {58'156'618, 151'424, 3'722'137'600}),
      resnet<nn::SEBasicBlock>("se_resnet18_cifar", {2, 2, 2, 2}, {11'261'002, 9'600, 555'509'760}),
      resnet<Basic>("mini_resnet", {2, 2, 2, 2}, {11'181'642, 9'600, 37'016'576}),
  };
  entries.back().outputs = 10;  // small images, though the stem is for large ones
  entries.back().input = {3, 32, 32};
  return entries;
}

}  // namespace fovea::models
