#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Keras's batch norm: its eps and momentum (0.99 there).
constexpr nn::BatchNormOptions keras_norm{.eps = 1e-3, .momentum = 0.01};

/// A small net as written in Keras: norms come after relu, the last convolution has none, and
/// weights are initialised by Glorot's rule. Not small_cnn under another name.
class KerasCnn : public nn::Module {
 public:
  KerasCnn(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1(at("conv1"), c.input[0], 32, {.kernel = 3, .padding = 1}),
        bn1(at("bn1"), 32, keras_norm),
        pool1(at("pool1"), 2),
        conv2(at("conv2"), 32, 64, {.kernel = 3, .padding = 1}),
        bn2(at("bn2"), 64, keras_norm),
        pool2(at("pool2"), 2),
        conv3(at("conv3"), 64, 128, {.kernel = 3, .padding = 1}),
        avgpool(at("avgpool"), 1),
        dropout(at("dropout"), c.choices.number("dropout")),
        fc(at("fc"), 128, c.outputs) {
    nn::initialize<nn::Conv2d>(*this, nn::init::xavier_uniform());
    nn::initialize<nn::Linear>(*this, nn::init::xavier_uniform());
  }

  Tensor forward(Tensor x) const override {
    x = pool1(bn1(relu(conv1(x))));
    x = pool2(bn2(relu(conv2(x))));
    x = avgpool(relu(conv3(x)));
    return fc(dropout(flatten(x)));
  }

 private:
  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::MaxPool2d pool1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  nn::MaxPool2d pool2;
  nn::Conv2d conv3;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Dropout dropout;
  nn::Linear fc;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> keras_cnn() {
  return {{.name = "keras_cnn",
           .choices = {dropout(0.2)},
           .counts = Counts{94'730, 192, 10'323'200},
           .build = build<KerasCnn>()}};
}

}  // namespace fovea::models
