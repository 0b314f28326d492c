#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// LeNet's plan (LeCun et al. 1998: alternating convolutions and pooling, then fully connected
/// layers) with three 3x3 convolutions, relu and dropout; no norms.
class LenetCnn : public nn::Module {
 public:
  LenetCnn(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1(at("conv1"), c.input[0], 32, {.kernel = 3, .padding = 1}),
        pool1(at("pool1"), 2),
        conv2(at("conv2"), 32, 64, {.kernel = 3, .padding = 1}),
        pool2(at("pool2"), 2),
        conv3(at("conv3"), 64, 128, {.kernel = 3, .padding = 1}),
        pool3(at("pool3"), 2),
        fc1(at("fc1"), features_of(c.input), 256),
        fc2(at("fc2"), 256, c.outputs),
        dropout(at("dropout"), c.choices.number("dropout")) {}

  Tensor forward(Tensor x) const override { return fc2(dropout(relu(fc1(features(x))))); }

 private:
  Tensor features(Tensor x) const {
    x = pool1(relu(conv1(x)));
    x = pool2(relu(conv2(x)));
    x = pool3(relu(conv3(x)));
    return flatten(x);
  }
  int64_t features_of(const Shape& image) const {
    return nn::traced_shape(*this, image, [this](Tensor x) { return features(x); }).numel();
  }

  nn::Conv2d conv1;
  nn::MaxPool2d pool1;
  nn::Conv2d conv2;
  nn::MaxPool2d pool2;
  nn::Conv2d conv3;
  nn::MaxPool2d pool3;
  nn::Linear fc1, fc2;
  nn::Dropout dropout;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> lenet_cnn() {
  return {{.name = "lenet_cnn",
           .choices = {dropout(0.5)},
           .counts = Counts{620'362, 0, 10'848'768},
           .build = build<LenetCnn>()}};
}

}  // namespace fovea::models
