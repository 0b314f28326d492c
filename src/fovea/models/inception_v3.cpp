#include "fovea/models/families.h"
#include "fovea/nn.h"

namespace fovea::models {
namespace {

using Conv = nn::BasicConv2d;
using ConvOptions = nn::BasicConv2dOptions;

/// Kernels that keep the size: n x n, one row of n, one column of n; and the one that halves the
/// image.
ConvOptions square(int64_t n) { return {.kernel = n, .padding = n / 2}; }
ConvOptions row(int64_t n) { return {.kernel = {1, n}, .padding = {0, n / 2}}; }
ConvOptions column(int64_t n) { return {.kernel = {n, 1}, .padding = {n / 2, 0}}; }
ConvOptions halving() { return {.kernel = 3, .stride = 2}; }

Tensor mean_of_neighbours(const Tensor& x) {
  return avg_pool2d(x, {.kernel = 3, .stride = 1, .padding = 1});
}
Tensor halved(const Tensor& x) { return max_pool2d(x, {.kernel = 3, .stride = 2}); }

/// A 5x5 branch beside one of two consecutive 3x3 convolutions (the paper's figure 5).
class InceptionA : public nn::Module {
 public:
  InceptionA(const nn::Scope& s, int64_t in, int64_t pool_features)
      : Module(s),
        branch1x1(at("branch1x1"), in, 64, square(1)),
        branch5x5_1(at("branch5x5_1"), in, 48, square(1)),
        branch5x5_2(at("branch5x5_2"), 48, 64, square(5)),
        branch3x3dbl_1(at("branch3x3dbl_1"), in, 64, square(1)),
        branch3x3dbl_2(at("branch3x3dbl_2"), 64, 96, square(3)),
        branch3x3dbl_3(at("branch3x3dbl_3"), 96, 96, square(3)),
        branch_pool(at("branch_pool"), in, pool_features, square(1)) {}

  Tensor forward(Tensor x) const override {
    return concat(
        {branch1x1(x), branch5x5_2(branch5x5_1(x)),
         branch3x3dbl_3(branch3x3dbl_2(branch3x3dbl_1(x))), branch_pool(mean_of_neighbours(x))},
        1);
  }

 private:
  Conv branch1x1, branch5x5_1, branch5x5_2, branch3x3dbl_1, branch3x3dbl_2, branch3x3dbl_3,
      branch_pool;
};

/// Halves the image (figure 10).
class InceptionB : public nn::Module {
 public:
  InceptionB(const nn::Scope& s, int64_t in)
      : Module(s),
        branch3x3(at("branch3x3"), in, 384, halving()),
        branch3x3dbl_1(at("branch3x3dbl_1"), in, 64, square(1)),
        branch3x3dbl_2(at("branch3x3dbl_2"), 64, 96, square(3)),
        branch3x3dbl_3(at("branch3x3dbl_3"), 96, 96, halving()) {}

  Tensor forward(Tensor x) const override {
    return concat({branch3x3(x), branch3x3dbl_3(branch3x3dbl_2(branch3x3dbl_1(x))), halved(x)}, 1);
  }

 private:
  Conv branch3x3, branch3x3dbl_1, branch3x3dbl_2, branch3x3dbl_3;
};

/// 7x7 as a row and a column, once and twice, with `width` channels inside (figure 6).
class InceptionC : public nn::Module {
 public:
  InceptionC(const nn::Scope& s, int64_t in, int64_t width)
      : Module(s),
        branch1x1(at("branch1x1"), in, 192, square(1)),
        branch7x7_1(at("branch7x7_1"), in, width, square(1)),
        branch7x7_2(at("branch7x7_2"), width, width, row(7)),
        branch7x7_3(at("branch7x7_3"), width, 192, column(7)),
        branch7x7dbl_1(at("branch7x7dbl_1"), in, width, square(1)),
        branch7x7dbl_2(at("branch7x7dbl_2"), width, width, column(7)),
        branch7x7dbl_3(at("branch7x7dbl_3"), width, width, row(7)),
        branch7x7dbl_4(at("branch7x7dbl_4"), width, width, column(7)),
        branch7x7dbl_5(at("branch7x7dbl_5"), width, 192, row(7)),
        branch_pool(at("branch_pool"), in, 192, square(1)) {}

  Tensor forward(Tensor x) const override {
    Tensor twice = branch7x7dbl_3(branch7x7dbl_2(branch7x7dbl_1(x)));
    twice = branch7x7dbl_5(branch7x7dbl_4(twice));
    return concat({branch1x1(x), branch7x7_3(branch7x7_2(branch7x7_1(x))), twice,
                   branch_pool(mean_of_neighbours(x))},
                  1);
  }

 private:
  Conv branch1x1, branch7x7_1, branch7x7_2, branch7x7_3, branch7x7dbl_1, branch7x7dbl_2,
      branch7x7dbl_3, branch7x7dbl_4, branch7x7dbl_5, branch_pool;
};

/// Halves the image again.
class InceptionD : public nn::Module {
 public:
  InceptionD(const nn::Scope& s, int64_t in)
      : Module(s),
        branch3x3_1(at("branch3x3_1"), in, 192, square(1)),
        branch3x3_2(at("branch3x3_2"), 192, 320, halving()),
        branch7x7x3_1(at("branch7x7x3_1"), in, 192, square(1)),
        branch7x7x3_2(at("branch7x7x3_2"), 192, 192, row(7)),
        branch7x7x3_3(at("branch7x7x3_3"), 192, 192, column(7)),
        branch7x7x3_4(at("branch7x7x3_4"), 192, 192, halving()) {}

  Tensor forward(Tensor x) const override {
    return concat({branch3x3_2(branch3x3_1(x)),
                   branch7x7x3_4(branch7x7x3_3(branch7x7x3_2(branch7x7x3_1(x)))), halved(x)},
                  1);
  }

 private:
  Conv branch3x3_1, branch3x3_2, branch7x7x3_1, branch7x7x3_2, branch7x7x3_3, branch7x7x3_4;
};

/// A row and a column in parallel, after 1x1 and after 3x3 (figure 7).
class InceptionE : public nn::Module {
 public:
  InceptionE(const nn::Scope& s, int64_t in)
      : Module(s),
        branch1x1(at("branch1x1"), in, 320, square(1)),
        branch3x3_1(at("branch3x3_1"), in, 384, square(1)),
        branch3x3_2a(at("branch3x3_2a"), 384, 384, row(3)),
        branch3x3_2b(at("branch3x3_2b"), 384, 384, column(3)),
        branch3x3dbl_1(at("branch3x3dbl_1"), in, 448, square(1)),
        branch3x3dbl_2(at("branch3x3dbl_2"), 448, 384, square(3)),
        branch3x3dbl_3a(at("branch3x3dbl_3a"), 384, 384, row(3)),
        branch3x3dbl_3b(at("branch3x3dbl_3b"), 384, 384, column(3)),
        branch_pool(at("branch_pool"), in, 192, square(1)) {}

  Tensor forward(Tensor x) const override {
    const Tensor once = branch3x3_1(x), twice = branch3x3dbl_2(branch3x3dbl_1(x));
    return concat({branch1x1(x), branch3x3_2a(once), branch3x3_2b(once), branch3x3dbl_3a(twice),
                   branch3x3dbl_3b(twice), branch_pool(mean_of_neighbours(x))},
                  1);
  }

 private:
  Conv branch1x1, branch3x3_1, branch3x3_2a, branch3x3_2b, branch3x3dbl_1, branch3x3dbl_2,
      branch3x3dbl_3a, branch3x3dbl_3b, branch_pool;
};

/// An auxiliary classifier, with a loss of its own in training.
class InceptionAuxiliary : public nn::Module {
 public:
  InceptionAuxiliary(const nn::Scope& s, int64_t in, int64_t outputs)
      : Module(s),
        conv0(at("conv0"), in, 128, square(1)),
        conv1(at("conv1"), 128, 768, {.kernel = 5}),
        fc(at("fc"), 768, outputs) {}

  Tensor forward(Tensor x) const override {
    x = avg_pool2d(x, {.kernel = 5, .stride = 3});
    return fc(flatten(global_avg_pool(conv1(conv0(x)))));
  }

  Conv conv0, conv1;
  nn::Linear fc;
};

/// Szegedy et al. 2015, "Rethinking the Inception architecture for computer vision", for images of
/// 299 pixels, at least 75. Arrays have torchvision's names. With `aux` a training graph has the
/// output "aux1", which needs images of at least 299 pixels.
class InceptionV3 : public nn::Module {
 public:
  InceptionV3(const nn::Scope& s, const Config& c)
      : Module(s),
        conv1a(at("Conv2d_1a_3x3"), c.input[0], 32, halving()),
        conv2a(at("Conv2d_2a_3x3"), 32, 32, {.kernel = 3}),
        conv2b(at("Conv2d_2b_3x3"), 32, 64, square(3)),
        conv3b(at("Conv2d_3b_1x1"), 64, 80, square(1)),
        conv4a(at("Conv2d_4a_3x3"), 80, 192, {.kernel = 3}),
        mixed5b(at("Mixed_5b"), 192, 32),
        mixed5c(at("Mixed_5c"), 256, 64),
        mixed5d(at("Mixed_5d"), 288, 64),
        mixed6a(at("Mixed_6a"), 288),
        mixed6b(at("Mixed_6b"), 768, 128),
        mixed6c(at("Mixed_6c"), 768, 160),
        mixed6d(at("Mixed_6d"), 768, 160),
        mixed6e(at("Mixed_6e"), 768, 192),
        aux(head(c)),
        mixed7a(at("Mixed_7a"), 768),
        mixed7b(at("Mixed_7b"), 1280),
        mixed7c(at("Mixed_7c"), 2048),
        avgpool(at("avgpool"), 1),
        dropout(at("dropout"), c.choices.number("dropout")),
        fc(at("fc"), 2048, c.outputs) {
    const auto start = [](auto& layer, double std) {
      layer.weight.initialize(nn::init::truncated_normal(std));
    };
    nn::for_each<nn::Conv2d>(*this, [&](nn::Conv2d& conv) { start(conv, 0.1); });
    start(fc, 0.1);
    if (aux) {
      start(aux->conv1.conv, 0.01);
      start(aux->fc, 0.001);
    }
  }

  Tensor forward(Tensor x) const override {
    x = halved(conv2b(conv2a(conv1a(x))));
    x = halved(conv4a(conv3b(x)));
    x = mixed5d(mixed5c(mixed5b(x)));
    x = mixed6e(mixed6d(mixed6c(mixed6b(mixed6a(x)))));
    if (aux) add_side_output("aux1", *aux, x);
    x = mixed7c(mixed7b(mixed7a(x)));
    return fc(dropout(flatten(avgpool(x))));
  }

 private:
  std::optional<InceptionAuxiliary> head(const Config& c) {
    if (!c.choices.flag("aux")) return std::nullopt;
    return std::optional<InceptionAuxiliary>(std::in_place, at("AuxLogits"), 768, c.outputs);
  }

  Conv conv1a, conv2a, conv2b, conv3b, conv4a;
  InceptionA mixed5b, mixed5c, mixed5d;
  InceptionB mixed6a;
  InceptionC mixed6b, mixed6c, mixed6d, mixed6e;
  std::optional<InceptionAuxiliary> aux;
  InceptionD mixed7a;
  InceptionE mixed7b, mixed7c;
  nn::AdaptiveAvgPool2d avgpool;
  nn::Dropout dropout;
  nn::Linear fc;
};

}  // namespace

// Counts: torchvision's net, without auxiliary heads.
std::vector<Entry> inception_v3() {
  return {{.name = "inception_v3",
           .outputs = 1000,
           .input = {3, 299, 299},
           .choices = {dropout(0.5), aux()},
           .counts = Counts{23'834'568, 34'432, 5'713'216'096},
           .build = build<InceptionV3>()}};
}

}  // namespace fovea::models
