#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// 3x3 convolution, norm, relu, one level down under the name "block".
class ConvBlock : public nn::Module {
 public:
  ConvBlock(const nn::Scope& s, int64_t in, int64_t out, int64_t stride)
      : Module(s), block(at("block"), in, out, {.stride = stride}) {}

  Tensor forward(Tensor x) const override { return block(x); }

 private:
  nn::ConvNormAct<> block;
};

/// Thirteen 3x3 convolutions in five stages, as in VGG-16, but the first of each stage halves the
/// image by its stride instead of pooling; then global average pooling and one linear layer.
class SimpleCnn224 : public nn::Module {
 public:
  SimpleCnn224(const nn::Scope& s, const Config& c)
      : Module(s),
        features(at("features")),
        avgpool(at("avgpool"), 1),
        classifier(at("classifier"), 512, c.outputs) {
    int64_t channels = c.input[0];
    for (const auto& [width, depth] : {std::pair{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}) {
      for (int i = 0; i < depth; ++i) {
        features.add<ConvBlock>(channels, width, i == 0 ? 2 : 1);
        channels = width;
      }
    }
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal_fan_out());
    nn::initialize<nn::Linear>(*this, nn::init::normal(0.01));
  }

  Tensor forward(Tensor x) const override { return classifier(flatten(avgpool(features(x)))); }

 private:
  nn::Sequential features;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Linear classifier;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> simple_cnn_224() {
  return {{.name = "simple_cnn_224",
           .outputs = 1000,
           .input = {3, 224, 224},
           .counts = Counts{15'231'912, 8'448, 3'837'169'664},
           .build = build<SimpleCnn224>()}};
}

}  // namespace fovea::models
