#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Two 3x3 convolutions with norms, each followed by pooling, and a hidden layer of 128: the
/// smallest net that does well on 28x28 or 32x32 images.
class SmallCnn : public nn::Module {
 public:
  SmallCnn(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1(at("conv1"), c.input[0], 32, {.kernel = 3, .padding = 1}),
        bn1(at("bn1"), 32),
        pool1(at("pool1"), 2),
        conv2(at("conv2"), 32, 64, {.kernel = 3, .padding = 1}),
        bn2(at("bn2"), 64),
        pool2(at("pool2"), 2),
        head(at("head")) {
    const Shape features =
        nn::traced_shape(*this, c.input, [this](Tensor x) { return this->features(x); });
    head.add<nn::Flatten>();
    head.add<nn::Linear>(features.numel(), 128);
    head.add<nn::ReLU>();
    head.add<nn::Dropout>(c.choices.number("dropout"));
    head.add<nn::Linear>(128, c.outputs);
  }

  Tensor forward(Tensor x) const override { return head(features(x)); }

 private:
  Tensor features(Tensor x) const {
    x = pool1(relu(bn1(conv1(x))));
    return pool2(relu(bn2(conv2(x))));
  }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::MaxPool2d pool1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  nn::MaxPool2d pool2;
  nn::Sequential head;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> small_cnn() {
  return {{.name = "small_cnn",
           .choices = {dropout(0.2)},
           .counts = Counts{545'290, 192, 6'128'896},
           .build = build<SmallCnn>()}};
}

}  // namespace fovea::models
