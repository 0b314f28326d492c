#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Convolution, norm, relu, then pooling that halves the image.
class DeeperCnnStage : public nn::Sequential {
 public:
  DeeperCnnStage(const nn::Scope& s, int64_t in, int64_t out) : Sequential(s) {
    add<nn::ConvNormAct<>>(in, out);
    add<nn::MaxPool2d>(2);
  }
};

/// A stem, three stages of 64, 128 and 256 channels, and global average pooling: no layer depends
/// on the image's size.
class DeeperCnn : public nn::Module {
 public:
  DeeperCnn(const nn::Scope& s, const Config& c)
      : Module(s),
        stem(at("stem"), c.input[0], 64),
        stage1(at("stage1"), 64, 64),
        stage2(at("stage2"), 64, 128),
        stage3(at("stage3"), 128, 256),
        head(at("head")) {
    head.add<nn::AdaptiveAvgPool2d>(1);
    head.add<nn::Flatten>();
    head.add<nn::Linear>(256, c.outputs);
  }

  Tensor forward(Tensor x) const override { return head(stage3(stage2(stage1(stem(x))))); }

 private:
  nn::ConvNormAct<> stem;
  DeeperCnnStage stage1, stage2, stage3;
  nn::Sequential head;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> deeper_cnn() {
  return {{.name = "deeper_cnn",
           .counts = Counts{410'826, 1'024, 77'269'504},
           .build = build<DeeperCnn>()}};
}

}  // namespace fovea::models
