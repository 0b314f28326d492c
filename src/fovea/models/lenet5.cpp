#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document recognition"): tanh,
/// average pooling, and every map of the second convolution connected to all of the first. The
/// paper's pooling has two weights per map and its last layer compares with drawn digits; here both
/// are as in later nets.
class Lenet5 : public nn::Module {
 public:
  Lenet5(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1(at("conv1"), c.input[0], 6, {.kernel = 5}),
        pool1(at("pool1"), 2),
        conv2(at("conv2"), 6, 16, {.kernel = 5}),
        pool2(at("pool2"), 2),
        fc1(at("fc1"), features_of(c.input), 120),
        fc2(at("fc2"), 120, 84),
        fc3(at("fc3"), 84, c.outputs) {}

  Tensor forward(Tensor x) const override {
    x = tanh(fc1(features(x)));
    x = tanh(fc2(x));
    return fc3(x);
  }

 private:
  Tensor features(Tensor x) const {
    x = pool1(tanh(conv1(x)));
    x = pool2(tanh(conv2(x)));
    return flatten(x);
  }
  int64_t features_of(const Shape& image) const {
    return nn::traced_shape(*this, image, [this](Tensor x) { return features(x); }).numel();
  }

  nn::Conv2d conv1;
  nn::AvgPool2d pool1;
  nn::Conv2d conv2;
  nn::AvgPool2d pool2;
  nn::Linear fc1, fc2, fc3;
};

}  // namespace

// Counts: LeCun et al. 1998 with all connections in its second convolution, as PyTorch's tutorial.
std::vector<Entry> lenet5() {
  return {{.name = "lenet5",
           .input = {1, 32, 32},
           .counts = Counts{61'706, 0, 416'520},
           .build = build<Lenet5>()}};
}

}  // namespace fovea::models
