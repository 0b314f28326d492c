#include <array>
#include <cmath>
#include <concepts>

#include "fovea/models/backbone.h"
#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Blocks of one width; the first has the stride and widens, and a dilation of its own.
template <class Block>
class ResNetLayer : public nn::Sequential {
 public:
  using Options = typename Block::Options;

  ResNetLayer(const nn::Scope& s, int64_t in, int64_t width, int depth, int64_t stride,
              const Options& first, const Options& rest)
      : Sequential(s) {
    add_block(in, width, stride, first);
    for (int i = 1; i < depth; ++i) add_block(Block::expansion * width, width, 1, rest);
  }

 private:
  void add_block(int64_t in, int64_t width, int64_t stride, const Options& options) {
    if constexpr (std::constructible_from<Block, nn::Scope, int64_t, int64_t, int64_t, Options>)
      add<Block>(in, width, stride, options);
    else
      add<Block>(in, width, stride, 16, options);
  }
};

/// How many blocks each of the four layers has.
using ResNetDepths = std::array<int, 4>;

/// The stem and the layers of He et al. 2015, "Deep residual learning for image recognition".
/// Arrays have torchvision's names. Each of the last `dilated` layers has a dilation, which doubles
/// from layer to layer, in place of its stride. `small`: with the stem for small images.
template <class Block>
class ResNetBackbone : public Backbone {
 public:
  using Backbone::forward;
  using Options = typename Block::Options;

  ResNetBackbone(const nn::Scope& s, const BackboneOptions& whole, bool small,
                 const ResNetDepths& depths, const Options& of_blocks)
      : Backbone(s),
        width_(std::max(std::lround(64 * whole.width), 1L)),
        conv1(at("conv1"), whole.in_channels, width_,
              small ? nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false}
                    : nn::ConvOptions{.kernel = 7, .stride = 2, .padding = 3, .bias = false}),
        bn1(at("bn1"), width_, whole.norm.value_or(nn::BatchNormOptions{})),
        maxpool(small ? std::nullopt : pooling()),
        layer1(at("layer1"), width_, width_, depths[0], 1, options(of_blocks, whole),
               options(of_blocks, whole)),
        layer2(at("layer2"), out(0), 2 * width_, depths[1], 2, options(of_blocks, whole),
               options(of_blocks, whole)),
        layer3(at("layer3"), out(1), 4 * width_, depths[2], whole.dilated > 1 ? 1 : 2,
               options(of_blocks, whole), options(of_blocks, whole, whole.dilated > 1 ? 2 : 1)),
        layer4(at("layer4"), out(2), 8 * width_, depths[3], whole.dilated > 0 ? 1 : 2,
               options(of_blocks, whole, whole.dilated > 1 ? 2 : 1),
               options(of_blocks, whole, int64_t{1} << whole.dilated)) {
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
  }

  Tensors forward(const Tensor& x, Stages) const override {
    Tensor y = relu(bn1(conv1(x)));
    if (maxpool) y = (*maxpool)(y);
    Tensors stages;
    for (const ResNetLayer<Block>* layer : {&layer1, &layer2, &layer3, &layer4}) {
      y = (*layer)(y);
      stages.push_back(y);
    }
    return stages;
  }
  std::vector<int64_t> channels() const override { return {out(0), out(1), out(2), out(3)}; }

 private:
  std::optional<nn::MaxPool2d> pooling() {
    return std::optional<nn::MaxPool2d>(std::in_place, at("maxpool"),
                                        PoolOptions{.kernel = 3, .stride = 2, .padding = 1});
  }
  static Options options(Options of_blocks, const BackboneOptions& whole, int64_t dilation = 1) {
    of_blocks.dilation = dilation;
    if (whole.norm) of_blocks.norm = *whole.norm;
    return of_blocks;
  }
  /// The channels that layer `i`, counted from 0, gives.
  int64_t out(int i) const { return (width_ << i) * Block::expansion; }

  int64_t width_;  ///< of the first layer
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  std::optional<nn::MaxPool2d> maxpool;
  ResNetLayer<Block> layer1, layer2, layer3, layer4;
};

/// The same with a classifier.
template <class Block>
class ResNet : public ResNetBackbone<Block> {
 public:
  ResNet(const nn::Scope& s, const Config& c, const ResNetDepths& depths,
         const typename Block::Options& options)
      : ResNetBackbone<Block>(s, {.in_channels = c.input[0]}, c.choices.word("stem") == "cifar",
                              depths, options),
        avgpool(this->at("avgpool"), 1),
        fc(this->at("fc"), 512 * Block::expansion, c.outputs) {}

  using ResNetBackbone<Block>::forward;
  Tensor forward(Tensor x) const override {
    return fc(flatten(avgpool(ResNetBackbone<Block>::forward(x))));
  }

 private:
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear fc;
};

/// Those whose name ends in "_cifar" are for small images.
template <class Block>
Entry resnet(std::string name, const ResNetDepths& depths, const Counts& counts,
             const typename Block::Options& options = {}) {
  const bool small = name.ends_with("_cifar");
  return {.name = std::move(name),
          .outputs = small ? 10 : 1000,
          .input = small ? Shape{3, 32, 32} : Shape{3, 224, 224},
          .choices = {stem(small ? "cifar" : "imagenet")},
          .counts = counts,
          .build = build<ResNet<Block>>(depths, options),
          .backbone = [=](const nn::Scope& scope, const BackboneOptions& whole) {
            return std::make_unique<ResNetBackbone<Block>>(scope, whole, small, depths, options);
          }};
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
