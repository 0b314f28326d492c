#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Conv = nn::BasicConv2d;
using ConvOptions = nn::BasicConv2dOptions;

/// How many channels the branches of an Inception module have: the 1x1 convolution, the two after
/// their 1x1 reductions, and the one after pooling.
struct Widths {
  int64_t one, reduce3, three, reduce5, five, pool;
  int64_t all() const { return one + three + five + pool; }
};

/// Four parallel branches. The third is 5x5 in the paper; torchvision's weights are for 3x3.
class Inception : public nn::Module {
 public:
  Inception(const nn::Scope& s, int64_t in, const Widths& w)
      : Module(s),
        branch1(at("branch1"), in, w.one, {.kernel = 1}),
        branch2(at("branch2")),
        branch3(at("branch3")),
        branch4(at("branch4")) {
    branch2.add<Conv>(in, w.reduce3, ConvOptions{.kernel = 1});
    branch2.add<Conv>(w.reduce3, w.three, ConvOptions{.kernel = 3, .padding = 1});
    branch3.add<Conv>(in, w.reduce5, ConvOptions{.kernel = 1});
    branch3.add<Conv>(w.reduce5, w.five, ConvOptions{.kernel = 3, .padding = 1});
    branch4.add<nn::MaxPool2d>(PoolOptions{.kernel = 3, .stride = 1, .padding = 1});
    branch4.add<Conv>(in, w.pool, ConvOptions{.kernel = 1});
  }

  Tensor forward(Tensor x) const override {
    return concat({branch1(x), branch2(x), branch3(x), branch4(x)}, 1);
  }

 private:
  Conv branch1;
  nn::Sequential branch2, branch3, branch4;
};

/// An auxiliary classifier, whose loss in training keeps the gradients of the layers below it from
/// vanishing.
class GoogLeNetAuxiliary : public nn::Module {
 public:
  GoogLeNetAuxiliary(const nn::Scope& s, int64_t in, int64_t outputs, double dropout_)
      : Module(s),
        conv(at("conv"), in, 128, {.kernel = 1}),
        fc1(at("fc1"), 128 * 4 * 4, 1024),
        dropout(at("dropout"), dropout_),
        fc2(at("fc2"), 1024, outputs) {}

  Tensor forward(Tensor x) const override {
    x = flatten(conv(adaptive_avg_pool2d(x, 4)));
    return fc2(dropout(relu(fc1(x))));
  }

 private:
  Conv conv;
  nn::Linear fc1;
  nn::Dropout dropout;
  nn::Linear fc2;
};

/// The nine modules, by the paper's names.
constexpr Widths w3a{64, 96, 128, 16, 32, 32}, w3b{128, 128, 192, 32, 96, 64};
constexpr Widths w4a{192, 96, 208, 16, 48, 64}, w4b{160, 112, 224, 24, 64, 64},
    w4c{128, 128, 256, 24, 64, 64}, w4d{112, 144, 288, 32, 64, 64},
    w4e{256, 160, 320, 32, 128, 128};
constexpr Widths w5a{256, 160, 320, 32, 128, 128}, w5b{384, 192, 384, 48, 128, 128};

/// Szegedy et al. 2014, "Going deeper with convolutions", with batch norms. Arrays have
/// torchvision's names. With `aux` a training graph has the outputs "aux1" and "aux2"; dropout is
/// stronger there, as in the paper, unless it is 0.
class GoogLeNet : public nn::Module {
 public:
  GoogLeNet(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1(at("conv1"), c.input[0], 64, {.kernel = 7, .stride = 2, .padding = 3}),
        maxpool1(at("maxpool1"), {.kernel = 3, .stride = 2, .ceil_mode = true}),
        conv2(at("conv2"), 64, 64, {.kernel = 1}),
        conv3(at("conv3"), 64, 192, {.kernel = 3, .padding = 1}),
        maxpool2(at("maxpool2"), {.kernel = 3, .stride = 2, .ceil_mode = true}),
        inception3a(at("inception3a"), 192, w3a),
        inception3b(at("inception3b"), w3a.all(), w3b),
        maxpool3(at("maxpool3"), {.kernel = 3, .stride = 2, .ceil_mode = true}),
        inception4a(at("inception4a"), w3b.all(), w4a),
        inception4b(at("inception4b"), w4a.all(), w4b),
        inception4c(at("inception4c"), w4b.all(), w4c),
        inception4d(at("inception4d"), w4c.all(), w4d),
        inception4e(at("inception4e"), w4d.all(), w4e),
        maxpool4(at("maxpool4"), {.kernel = 2, .stride = 2, .ceil_mode = true}),
        inception5a(at("inception5a"), w4e.all(), w5a),
        inception5b(at("inception5b"), w5a.all(), w5b),
        aux1(head("aux1", c, w4a.all())),
        aux2(head("aux2", c, w4d.all())),
        avgpool(at("avgpool"), 1),
        dropout(at("dropout"), c.choices.number("dropout")),
        fc(at("fc"), w5b.all(), c.outputs) {
    nn::initialize<nn::Conv2d>(*this, nn::init::truncated_normal(0.01));
    nn::for_each<nn::Linear>(*this, [](nn::Linear& linear) {
      linear.weight.initialize(nn::init::truncated_normal(0.01));
    });
  }

  Tensor forward(Tensor x) const override {
    x = maxpool1(conv1(x));
    x = maxpool2(conv3(conv2(x)));
    x = maxpool3(inception3b(inception3a(x)));
    x = inception4a(x);
    if (aux1) add_side_output("aux1", *aux1, x);
    x = inception4d(inception4c(inception4b(x)));
    if (aux2) add_side_output("aux2", *aux2, x);
    x = maxpool4(inception4e(x));
    x = inception5b(inception5a(x));
    return fc(dropout(flatten(avgpool(x))));
  }

 private:
  std::optional<GoogLeNetAuxiliary> head(std::string_view name, const Config& c, int64_t in) {
    if (!c.choices.flag("aux")) return std::nullopt;
    return std::optional<GoogLeNetAuxiliary>(std::in_place, at(name), in, c.outputs,
                                             c.choices.number("dropout") > 0 ? 0.7 : 0.0);
  }

  Conv conv1;
  nn::MaxPool2d maxpool1;
  Conv conv2, conv3;
  nn::MaxPool2d maxpool2;
  Inception inception3a, inception3b;
  nn::MaxPool2d maxpool3;
  Inception inception4a, inception4b, inception4c, inception4d, inception4e;
  nn::MaxPool2d maxpool4;
  Inception inception5a, inception5b;
  std::optional<GoogLeNetAuxiliary> aux1, aux2;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Dropout dropout;
  nn::Linear fc;
};

}  // namespace

// Counts: torchvision's net, without auxiliary heads.
std::vector<Entry> googlenet() {
  return {{.name = "googlenet",
           .outputs = 1000,
           .input = {3, 224, 224},
           .choices = {dropout(0.2), aux()},
           .counts = Counts{6'624'904, 14'560, 1'498'376'192},
           .build = build<GoogLeNet>()}};
}

}  // namespace fovea::models
