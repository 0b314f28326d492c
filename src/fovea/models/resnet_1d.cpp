#include "fovea/models/families.h"
#include "fovea/models/series.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What is added to a block's output: its input as it is, normalised, or through a convolution of
/// length 1 where channels differ.
class Shortcut : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  Shortcut(const nn::Scope& s, int64_t in, int64_t out) : Module(s) {
    if (in != out) conv.emplace(at("conv"), in, out, nn::ConvOptions{.kernel = 1});
    bn.emplace(at("bn"), out);
  }
  Tensor forward(const Tensor& x, const Tensor& mask) const {
    return nn::call(*bn, conv ? (*conv)(x) : x, mask);
  }

 private:
  std::optional<nn::Conv1d> conv;
  std::optional<nn::BatchNorm1d> bn;
};

/// Three convolutions of lengths 8, 5 and 3, and a shortcut.
class ResNet1dBlock : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  ResNet1dBlock(const nn::Scope& s, int64_t in, int64_t out)
      : Module(s),
        layer1(at("layer1"), in, out, 8),
        layer2(at("layer2"), out, out, 5),
        layer3(at("layer3"), out, out, 3),
        shortcut(at("shortcut"), in, out) {}

  Tensor forward(const Tensor& x, const Series& series) const {
    Tensor y = series.kept(relu(nn::call(layer1, x, series.mask)));
    y = series.kept(relu(nn::call(layer2, y, series.mask)));
    y = nn::call(layer3, y, series.mask);
    return series.kept(relu(y + nn::call(shortcut, x, series.mask)));
  }

 private:
  SeriesConvNorm layer1, layer2, layer3;
  Shortcut shortcut;
};

/// The residual net of Wang et al. 2016, "Time series classification from scratch with deep neural
/// networks".
class ResNet1d : public nn::Module {
 public:
  ResNet1d(const nn::Scope& s, const Config& c)
      : Module(s),
        masked_(c.choices.flag("masked")),
        block1(at("block1"), series_channels(c), 64),
        block2(at("block2"), 64, 128),
        block3(at("block3"), 128, 128),
        fc(at("fc"), 128, c.outputs) {}

  Tensor forward(Tensor input) const override {
    const Series series(input, masked_);
    Tensor x = series.x;
    for (const ResNet1dBlock* block : {&block1, &block2, &block3}) x = nn::call(*block, x, series);
    return fc(series.mean(x));
  }

 private:
  bool masked_;
  ResNet1dBlock block1, block2, block3;
  nn::Linear fc;
};

}  // namespace

std::vector<Entry> resnet_1d() {
  return {{.name = "resnet_1d",
           .input = {1, 128},
           .choices = {masked()},
           .counts = Counts{505'290, 2'560, 64'038'144},
           .build = build<ResNet1d>()}};
}

}  // namespace fovea::models
