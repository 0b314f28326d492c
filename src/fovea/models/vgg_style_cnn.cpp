#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// `depth` 3x3 convolutions of equal width (with biases, which the norms make redundant: they are
/// in the published counts), norms and relus, then pooling that halves the image.
class VggStyleStage : public nn::Sequential {
 public:
  VggStyleStage(const nn::Scope& s, int64_t in, int64_t out, int depth) : Sequential(s) {
    for (int i = 0; i < depth; ++i) {
      add<nn::BasicConv2d>(
          i == 0 ? in : out, out,
          nn::BasicConv2dOptions{.kernel = 3, .padding = 1, .bias = true, .norm = {}});
    }
    add<nn::MaxPool2d>(2);
  }
};

/// VGG's plan (Simonyan and Zisserman 2014: only 3x3 convolutions, wider as the image shrinks) with
/// norms, for small images.
class VggStyleCnn : public nn::Module {
 public:
  VggStyleCnn(const nn::Scope& s, const Config& c)
      : Module(s),
        block1(at("block1"), c.input[0], 64, 2),
        block2(at("block2"), 64, 128, 2),
        block3(at("block3"), 128, 256, 3),
        classifier(at("classifier")) {
    classifier.add<nn::AdaptiveAvgPool2d>(1);
    classifier.add<nn::Flatten>();
    classifier.add<nn::Linear>(256, 256);
    classifier.add<nn::ReLU>();
    classifier.add<nn::Dropout>(c.choices.number("dropout"));
    classifier.add<nn::Linear>(256, c.outputs);
  }

  Tensor forward(Tensor x) const override { return classifier(block3(block2(block1(x)))); }

 private:
  VggStyleStage block1, block2, block3;
  nn::Sequential classifier;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> vgg_style_cnn() {
  return {{.name = "vgg_style_cnn",
           .choices = {dropout(0.5)},
           .counts = Counts{1'806'154, 2'304, 190'581'248},
           .build = build<VggStyleCnn>()}};
}

}  // namespace fovea::models
