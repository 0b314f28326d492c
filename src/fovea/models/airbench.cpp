#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// Convolution, pooling, norm, GELU, and convolution, norm, GELU. Convolutions start as identities
/// where they have as many outputs as inputs; the running statistics follow the last few batches.
class ConvGroup : public nn::Module {
 public:
  ConvGroup(const nn::Scope& s, int64_t in, int64_t out)
      : Module(s),
        conv1(at("conv1"), in, out, {.kernel = 3, .padding = 1, .bias = false}),
        pool(at("pool"), 2),
        norm1(at("norm1"), out, {.eps = 1e-12, .momentum = 0.4}),
        conv2(at("conv2"), out, out, {.kernel = 3, .padding = 1, .bias = false}),
        norm2(at("norm2"), out, {.eps = 1e-12, .momentum = 0.4}),
        activ(at("activ")) {
    for (nn::Conv2d* conv : {&conv1, &conv2})
      conv->weight.initialize(nn::init::dirac(nn::init::kaiming_uniform()));
  }

  Tensor forward(Tensor x) const override {
    x = activ(norm1(pool(conv1(x))));
    return activ(norm2(conv2(x)));
  }

 private:
  nn::Conv2d conv1;
  nn::MaxPool2d pool;
  nn::BatchNorm2d norm1;
  nn::Conv2d conv2;
  nn::BatchNorm2d norm2;
  nn::GELU activ;
};

/// The net that reaches 94% on CIFAR-10 fastest (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a
/// single GPU"; here with the logits' scale of its later version for Muon). Its first layer whitens
/// 2x2 patches: its weights come from the training images, and the recipe `cifar10-speed` keeps
/// them, and the scales of the norms, frozen.
class Airbench : public nn::Module {
 public:
  Airbench(const nn::Scope& s, const Config& c)
      : Module(s),
        whiten(at("whiten"), c.input[0], 2 * patch * c.input[0], {.kernel = 2}),
        layers(at("layers")),
        head(at("head"), features(c), c.outputs, {.bias = false}) {
    whiten.weight.initialize(nn::init::whitening());
    head.weight.initialize(nn::init::unit_std(nn::init::kaiming_uniform()));
  }

  Tensor forward(Tensor x) const override { return head(flatten(layers(whiten(x)))) * (1.0 / 256); }

 private:
  static constexpr int64_t patch = 2 * 2;

  /// Adds the layers, and returns the number of features that they give.
  int64_t features(const Config& c) {
    layers.add<nn::GELU>();
    layers.add<ConvGroup>(2 * patch * c.input[0], 64);
    layers.add<ConvGroup>(64, 256);
    layers.add<ConvGroup>(256, 256);
    layers.add<nn::MaxPool2d>(3);
    return nn::traced_shape(*this, c.input, [this](Tensor x) { return layers(whiten(x)); }).numel();
  }

  nn::Conv2d whiten;
  nn::Sequential layers;
  nn::Linear head;
};

}  // namespace

// Counts: the same net in PyTorch.
std::vector<Entry> airbench() {
  return {{.name = "airbench94",
           .counts = Counts{1'972'792, 2'304, 118'147'360},
           .build = build<Airbench>()}};
}

}  // namespace fovea::models
