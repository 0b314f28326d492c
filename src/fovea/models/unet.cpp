#include <algorithm>
#include <cmath>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What tells the two nets apart.
struct Plan {
  bool padded;  ///< convolutions keep the size, and have norms instead of biases
};

/// Two 3x3 convolutions, each with a relu.
class DoubleConv : public nn::Module {
 public:
  DoubleConv(const nn::Scope& s, int64_t in, int64_t out, const Plan& plan)
      : Module(s), double_conv(at("double_conv")) {
    for (const int64_t channels : {in, out}) {
      double_conv.add<nn::Conv2d>(
          channels, out,
          nn::ConvOptions{.kernel = 3, .padding = plan.padded ? 1 : 0, .bias = !plan.padded});
      if (plan.padded) double_conv.add<nn::BatchNorm2d>(out);
      double_conv.add<nn::ReLU>();
    }
  }

  Tensor forward(Tensor x) const override { return double_conv(x); }

 private:
  nn::Sequential double_conv;
};

/// One step down: half the size, twice the channels.
class Down : public nn::Module {
 public:
  Down(const nn::Scope& s, int64_t in, int64_t out, const Plan& plan)
      : Module(s), maxpool_conv(at("maxpool_conv")) {
    maxpool_conv.add<nn::MaxPool2d>(2);
    maxpool_conv.add<DoubleConv>(in, out, plan);
  }

  Tensor forward(Tensor x) const override { return maxpool_conv(x); }

 private:
  nn::Sequential maxpool_conv;
};

/// `x` [N, C, H, W] with zeros around it or, where a side is larger than wanted, its central part;
/// an odd row or column is at the end.
Tensor centered(const Tensor& x, int64_t height, int64_t width) {
  Tensor y = x;
  for (const auto& [axis, wanted] : {std::pair{2, height}, {3, width}}) {
    const int64_t begin = (x.dim(axis) - wanted) / 2;
    if (x.dim(axis) > wanted) y = slice(y, axis, begin, begin + wanted);
  }
  const int64_t down = height - y.dim(2), right = width - y.dim(3);
  if (down == 0 && right == 0) return y;
  return pad(y, {{down / 2, down - down / 2}, {right / 2, right - right / 2}});
}

/// One step up: twice the size, half the channels, beside the feature map of that size from the way
/// down. Where the sizes differ, that one is cropped (as in the paper) or, in the padded net, this
/// one padded: an odd side has lost its last row in pooling.
class Up : public nn::Module {
 public:
  using Module::forward;

  Up(const nn::Scope& s, int64_t in, int64_t out, const Plan& plan)
      : Module(s),
        padded_(plan.padded),
        up(at("up"), in, out, {.kernel = 2, .stride = 2}),
        conv(at("conv"), in, out, plan) {}

  Tensor forward(const Tensor& x, const Tensor& skip) const {
    const Tensor y = up(x);
    return conv(padded_ ? concat({skip, centered(y, skip.dim(2), skip.dim(3))}, 1)
                        : concat({centered(skip, y.dim(2), y.dim(3)), y}, 1));
  }

 private:
  bool padded_;
  nn::ConvTranspose2d up;
  DoubleConv conv;
};

/// The 1x1 convolution at the end.
class Out : public nn::Module {
 public:
  Out(const nn::Scope& s, int64_t in, int64_t out)
      : Module(s), conv(at("conv"), in, out, {.kernel = 1}) {}
  Tensor forward(Tensor x) const override { return conv(x); }

 private:
  nn::Conv2d conv;
};

/// Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation". The
/// classes of the pixels of x [N, C, H, W]: logits [N, K, H, W], or without padding of the pixels
/// at least 92 from the border. Arrays have the names that are common in PyTorch:
/// "inc.double_conv.0", "down1.maxpool_conv.1", "up1.up", "outc.conv". `width` is the number of
/// channels at full size.
class UNet : public nn::Module {
 public:
  UNet(const nn::Scope& s, const Config& c, const Plan& plan)
      : UNet(s, c.input[0], c.outputs,
             std::max<int64_t>(std::llround(64 * c.choices.number("width")), 1), plan) {}

  Tensor forward(Tensor x) const override {
    const Tensor x1 = inc(x), x2 = down1(x1), x3 = down2(x2), x4 = down3(x3);
    Tensor y = nn::call(up1, down4(x4), x4);
    y = nn::call(up2, y, x3);
    y = nn::call(up3, y, x2);
    y = nn::call(up4, y, x1);
    return outc(y);
  }

 private:
  UNet(const nn::Scope& s, int64_t in, int64_t classes, int64_t w, const Plan& plan)
      : Module(s),
        inc(at("inc"), in, w, plan),
        down1(at("down1"), w, 2 * w, plan),
        down2(at("down2"), 2 * w, 4 * w, plan),
        down3(at("down3"), 4 * w, 8 * w, plan),
        down4(at("down4"), 8 * w, 16 * w, plan),
        up1(at("up1"), 16 * w, 8 * w, plan),
        up2(at("up2"), 8 * w, 4 * w, plan),
        up3(at("up3"), 4 * w, 2 * w, plan),
        up4(at("up4"), 2 * w, w, plan),
        outc(at("outc"), w, classes) {
    // The paper's: a deviation of sqrt(2 / N), N the number of inputs of a neuron.
    nn::initialize<nn::Conv2d>(*this, nn::init::kaiming_normal());
  }

  DoubleConv inc;
  Down down1, down2, down3, down4;
  Up up1, up2, up3, up4;
  Out outc;
};

}  // namespace

// Counts: those of the paper's net and of its usual form in PyTorch.
std::vector<Entry> unet() {
  return {{.name = "unet_paper",
           .outputs = 2,
           .input = {1, 572, 572},
           .choices = {width()},
           .counts = Counts{31'030'658, 0, 150'428'424'448},
           .build = build<UNet>(Plan{.padded = false}),
           .task = "segment"},
          {.name = "unet",
           .outputs = 2,
           .input = {3, 224, 224},
           .choices = {width()},
           .counts = Counts{31'037'698, 11'776, 36'881'367'040},
           .build = build<UNet>(Plan{.padded = true}),
           .task = "segment"}};
}

}  // namespace fovea::models
