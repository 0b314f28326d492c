#include <algorithm>
#include <array>
#include <cmath>

#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

/// What tells the nets apart.
struct UNetPlan {
  bool padded;  ///< convolutions keep the size and, before norms with weights, have no biases
  bool norms;   ///< after each convolution
  /// Channels double in the second convolution of a step down, before pooling, and keep their
  /// number in transposed convolutions, as in the net for volumes; else in the first, and halve.
  bool early;
};

/// Two convolutions of 3 pixels along each axis, each with a relu: `in` to `between` to `out`
/// channels.
template <int Axes>
class DoubleConv : public nn::Module {
 public:
  DoubleConv(const nn::Scope& s, int64_t in, int64_t between, int64_t out, const UNetPlan& plan)
      : Module(s), double_conv(at("double_conv")) {
    for (const auto& [from, to] : {std::pair{in, between}, {between, out}}) {
      double_conv.add<nn::Conv<Axes>>(
          from, to,
          nn::ConvOptions{.kernel = 3, .padding = plan.padded ? 1 : 0, .bias = !plan.padded});
      if (plan.norms)
        double_conv.add<nn::BatchNorm>(to, nn::BatchNormOptions{.affine = plan.padded});
      double_conv.add<nn::ReLU>();
    }
  }

  Tensor forward(Tensor x) const override { return double_conv(x); }

 private:
  nn::Sequential double_conv;
};

/// One step down: half the size, twice the channels.
template <int Axes>
class Down : public nn::Module {
 public:
  Down(const nn::Scope& s, int64_t in, const UNetPlan& plan)
      : Module(s), maxpool_conv(at("maxpool_conv")) {
    maxpool_conv.add<nn::WindowPool<Axes, max_pool>>(2);
    maxpool_conv.add<DoubleConv<Axes>>(in, plan.early ? in : 2 * in, 2 * in, plan);
  }

  Tensor forward(Tensor x) const override { return maxpool_conv(x); }

 private:
  nn::Sequential maxpool_conv;
};

/// `x` [N, C, spatial] with zeros around it or, where a side is larger than in `like`, its central
/// part; what is odd is at the end.
Tensor centered(const Tensor& x, const Tensor& like) {
  Tensor y = x;
  std::vector<Padding::Pair> around;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const int64_t wanted = like.dim(axis), begin = (x.dim(axis) - wanted) / 2;
    if (x.dim(axis) > wanted) y = slice(y, axis, begin, begin + wanted);
    const int64_t missing = std::max<int64_t>(wanted - x.dim(axis), 0);
    around.emplace_back(missing / 2, missing - missing / 2);
  }
  const bool whole = std::ranges::all_of(around, [](const auto& side) { return side.second == 0; });
  return whole ? y : pad(y, std::span<const Padding::Pair>(around));
}

/// One step up: twice the size beside the feature map of that size from the way down, which has
/// half the channels. Where the sizes differ, that one is cropped (as in the papers) or, in a
/// padded net, this one padded: an odd side has lost its last row in pooling.
template <int Axes>
class Up : public nn::Module {
 public:
  using Module::forward;

  Up(const nn::Scope& s, int64_t in, const UNetPlan& plan)
      : Module(s),
        padded_(plan.padded),
        up(at("up"), in, plan.early ? in : in / 2,
           {.kernel = 2, .stride = 2, .bias = plan.padded || !plan.early}),
        conv(at("conv"), plan.early ? in + in / 2 : in, in / 2, in / 2, plan) {}

  Tensor forward(const Tensor& x, const Tensor& skip) const {
    const Tensor y = up(x);
    return conv(padded_ ? concat({skip, centered(y, skip)}, 1) : concat({centered(skip, y), y}, 1));
  }

 private:
  bool padded_;
  nn::ConvTranspose<Axes> up;
  DoubleConv<Axes> conv;
};

/// The convolution at the end, of single pixels.
template <int Axes>
class Out : public nn::Module {
 public:
  Out(const nn::Scope& s, int64_t in, int64_t out)
      : Module(s), conv(at("conv"), in, out, {.kernel = 1}) {}
  Tensor forward(Tensor x) const override { return conv(x); }

 private:
  nn::Conv<Axes> conv;
};

/// Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation", and
/// Cicek et al. 2016, "3D U-Net: learning dense volumetric segmentation from sparse annotation".
/// The classes of the pixels of x [N, C, spatial]: logits [N, K, spatial], or without padding of
/// the pixels far enough from the border (92 in images, 44 in volumes). Arrays have the names that
/// are common in PyTorch: "inc.double_conv.0", "down1.maxpool_conv.1", "up1.up", "outc.conv".
/// `width` is a factor of all channel counts, which at full size are 64.
template <int Axes>
class UNet : public nn::Module {
 public:
  UNet(const nn::Scope& s, const Config& c, const UNetPlan& plan)
      : UNet(s, c.input[0], c.outputs,
             std::max<int64_t>(std::llround(64 * c.choices.number("width")), 2), plan) {}

  Tensor forward(Tensor x) const override {
    Tensors maps{inc(x)};
    for (const auto& down : downs) maps.push_back((*down)(maps.back()));
    Tensor y = maps.back();
    for (size_t i = 0; i < ups.size(); ++i) y = nn::call(*ups[i], y, maps[ups.size() - 1 - i]);
    return outc(y);
  }

 private:
  static constexpr int steps = Axes == 3 ? 3 : 4;

  UNet(const nn::Scope& s, int64_t in, int64_t classes, int64_t w, const UNetPlan& plan)
      : Module(s),
        inc(at("inc"), in, plan.early ? w / 2 : w, w, plan),
        downs(made<Down<Axes>>(
            "down", [w](int i) { return w << i; }, plan)),
        ups(made<Up<Axes>>(
            "up", [w](int i) { return w << (steps - i); }, plan)),
        outc(at("outc"), w, classes) {
    // The papers': a deviation of sqrt(2 / N), N the number of inputs of a neuron.
    nn::initialize<nn::Conv<Axes>>(*this, nn::init::kaiming_normal());
  }

  /// "down1", "down2", ..., each from channels(0), channels(1), ...
  template <class Step, class Channels>
  std::vector<std::unique_ptr<Step>> made(const std::string& name, const Channels& channels,
                                          const UNetPlan& plan) {
    std::vector<std::unique_ptr<Step>> all;
    for (int i = 0; i < steps; ++i)
      all.push_back(
          std::make_unique<Step>(this->at(name + std::to_string(i + 1)), channels(i), plan));
    return all;
  }

  DoubleConv<Axes> inc;
  std::vector<std::unique_ptr<Down<Axes>>> downs;
  std::vector<std::unique_ptr<Up<Axes>>> ups;
  Out<Axes> outc;
};

template <int Axes>
Entry unet(std::string name, int64_t outputs, const Shape& input, const UNetPlan& plan,
           const Counts& counts) {
  return {.name = std::move(name),
          .outputs = outputs,
          .input = input,
          .choices = {width()},
          .counts = counts,
          .build = build<UNet<Axes>>(plan),
          .task = "segment"};
}

}  // namespace

// Counts: those of the papers' nets and of their usual forms in PyTorch.
std::vector<Entry> unet() {
  return {unet<2>("unet_paper", 2, {1, 572, 572}, {.padded = false, .norms = false, .early = false},
                  {31'030'658, 0, 150'428'424'448}),
          unet<2>("unet", 2, {3, 224, 224}, {.padded = true, .norms = true, .early = false},
                  {31'037'698, 11'776, 36'881'367'040}),
          unet<3>("unet_3d_paper", 3, {3, 116, 132, 132},
                  {.padded = false, .norms = true, .early = true},
                  {19'069'955, 4'672, 266'731'018'496}),
          unet<3>("unet_3d", 2, {1, 64, 64, 64}, {.padded = true, .norms = true, .early = true},
                  {19'071'394, 4'672, 244'234'321'920})};
}

}  // namespace fovea::models
