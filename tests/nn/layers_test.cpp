#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "error_text.h"
#include "fovea/nn.h"
#include "fovea/runtime/eval.h"
#include "fovea/runtime/program.h"

namespace fovea {
namespace {

struct Statistics {
  double mean = 0, std = 0, least = 0, most = 0;
};

Statistics statistics(const Shape& shape, const nn::Initializer& initializer) {
  Array array(DType::f64, shape);
  Random random(3, "statistics");
  initializer(array, random);
  Statistics s;
  for (int64_t i = 0; i < array.numel(); ++i) {
    s.mean += array.at(i) / static_cast<double>(array.numel());
    s.least = std::min(s.least, array.at(i));
    s.most = std::max(s.most, array.at(i));
  }
  for (int64_t i = 0; i < array.numel(); ++i) s.std += std::pow(array.at(i) - s.mean, 2);
  s.std = std::sqrt(s.std / static_cast<double>(array.numel()));
  return s;
}

TEST(Init, SpreadIsAsPublished) {
  // A first layer that starts too wide or narrow trains worse, silently.
  const auto he = statistics({64, 3, 3, 3}, nn::init::kaiming_normal_fan_out());
  EXPECT_NEAR(he.std, std::sqrt(2.0 / (64 * 9)), 0.05 * he.std);
  const auto wide = statistics({512, 512}, nn::init::kaiming_normal_fan_out());
  EXPECT_NEAR(wide.std, std::sqrt(2.0 / 512), 0.01 * wide.std);
  EXPECT_NEAR(wide.mean, 0, 0.01 * wide.std);

  const double bound = 1 / std::sqrt(32 * 9.0);  // kaiming_uniform(sqrt 5) is +-1/sqrt(fan_in)
  const auto torch = statistics({64, 32, 3, 3}, nn::init::kaiming_uniform());
  EXPECT_GT(torch.least, -bound);
  EXPECT_LT(torch.most, bound);
  EXPECT_NEAR(torch.std, bound / std::sqrt(3), 0.02 * bound);

  const auto glorot = statistics({100, 300}, nn::init::xavier_uniform());
  EXPECT_NEAR(glorot.std, std::sqrt(2.0 / 400), 0.02 * glorot.std);
  EXPECT_NEAR(statistics({500, 20}, nn::init::normal(0.01)).std, 0.01, 0.0003);
  EXPECT_EQ(statistics({8}, nn::init::constant(1)).mean, 1);
}

TEST(Init, NamesSelectTheirInitialisers) {
  // Keras's and PyTorch's names for the same thing, and the fan that each counts.
  const Shape weight{40, 30, 3, 3};
  const double in = 270, out = 360;
  const std::vector<std::pair<std::string, double>> stds{
      {"pytorch", std::sqrt(1 / (3 * in))},
      {"kaiming_uniform", std::sqrt(2 / in)},
      {"he_uniform", std::sqrt(2 / in)},
      {"kaiming_normal", std::sqrt(2 / in)},
      {"he_normal", std::sqrt(2 / in)},
      {"kaiming_normal_fan_out", std::sqrt(2 / out)},
      {"lecun_normal", std::sqrt(1 / in)},
      {"xavier_uniform", std::sqrt(2 / (in + out))},
      {"xavier_normal", std::sqrt(2 / (in + out))},
      {"glorot_uniform", std::sqrt(2 / (in + out))},
      {"glorot_normal", std::sqrt(2 / (in + out))},
      {"orthogonal", std::sqrt(1 / in)},
      {"zeros", 0}};
  for (const auto& [name, std] : stds) {
    EXPECT_NEAR(statistics(weight, nn::init::by_name(name)).std, std, 0.03 * std) << name;
  }
  EXPECT_EQ(statistics({4, 4}, nn::init::by_name("ones")).mean, 1);
  // Of 40 filters, the first 30 have one element that is 1.
  EXPECT_NEAR(statistics(weight, nn::init::by_name("dirac")).mean, 30 / (40 * in), 1e-12);
  EXPECT_EQ(nn::init::names().size(), stds.size() + 2);
  expect_error(ErrorKind::usage, "unknown initialiser \"he_norm\"\n  nearest he_normal",
               [] { nn::init::by_name("he_norm"); });
}

TEST(Init, DiracFiltersReturnTheirInputs) {
  // A deep plain net trains because its layers start as identities; PyTorch's dirac_ of w[:I] is
  // the same.
  for (const Shape& shape : {Shape{5, 3, 3, 3}, Shape{2, 4, 5, 1}, Shape{3, 3, 2}}) {
    Array drawn(DType::f64, shape), w(DType::f64, shape);
    Random a(1, "w"), b(1, "w");
    nn::init::kaiming_uniform()(drawn, a);
    nn::init::dirac(nn::init::kaiming_uniform())(w, b);
    const int64_t filter = shape.slice(1).numel(), pixels = shape.slice(2).numel();
    for (int64_t i = 0; i < w.numel(); ++i) {
      const int64_t o = i / filter, in = i % filter / pixels, pixel = i % pixels;
      const int64_t centre = shape.rank() == 3 ? 1 : (shape[2] / 2) * shape[3] + shape[3] / 2;
      const bool drawn_one = o >= std::min(shape[0], shape[1]);
      EXPECT_EQ(w.at(i), drawn_one ? drawn.at(i) : o == in && pixel == centre ? 1 : 0) << i;
    }
  }
}

TEST(Init, UnitStdScalesWhatAnotherDraws) {
  EXPECT_NEAR(statistics({20, 30}, nn::init::unit_std(nn::init::uniform(0.01))).std, 1, 1e-3);
  EXPECT_EQ(statistics({4}, nn::init::unit_std(nn::init::constant(3))).mean, 3);
}

TEST(Whitening, EigenvectorsOfASymmetricMatrix) {
  const int64_t n = 12;
  Random random(3, "matrix");
  std::vector<double> a(n * n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j)
      a[static_cast<size_t>(i * n + j)] = a[static_cast<size_t>(j * n + i)] = random.normal();
  }
  const nn::Eigen found = nn::eigen(a, n);
  EXPECT_TRUE(std::ranges::is_sorted(found.values, std::greater{}));
  for (size_t k = 0; k < n; ++k) {
    const std::vector<double>& v = found.vectors[k];
    double length = 0;
    for (size_t i = 0; i < n; ++i) {
      double product = 0;
      for (size_t j = 0; j < n; ++j) product += a[i * n + j] * v[j];
      EXPECT_NEAR(product, found.values[k] * v[i], 1e-12);
      length += v[i] * v[i];
    }
    EXPECT_NEAR(length, 1, 1e-12);
  }
}

TEST(Whitening, OutputsAreUncorrelatedWithVarianceOne) {
  // What the first layer of airbench94 is for: channels that share no information.
  Random random(7, "images");
  Array images(DType::f32, {300, 2, 6, 6});
  for (int64_t i = 0; i < images.numel(); ++i) {
    const double fresh = random.normal();
    images.set(i, i % 6 == 0 ? fresh : 0.8 * images.at(i - 1) + 0.3 * fresh + 0.1);
  }
  Array weight(DType::f32, {16, 2, 2, 2});
  nn::init::whitening(1e-9).fill(weight, images);
  const Array y =
      eval([](const Tensors& t) { return Tensors{conv(t[0], t[1])}; }, {images, weight})[0];
  const int64_t pixels = 25, channels = 16;
  for (int64_t a = 0; a < 8; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      double product = 0;
      for (int64_t n = 0; n < 300; ++n) {
        for (int64_t p = 0; p < pixels; ++p) {
          product += y.at((n * channels + a) * pixels + p) * y.at((n * channels + b) * pixels + p);
        }
      }
      EXPECT_NEAR(product / (300 * pixels), a == b ? 1 : 0, 2e-3) << a << " " << b;
    }
    for (int64_t k = 0; k < 8; ++k) EXPECT_EQ(weight.at((a + 8) * 8 + k), -weight.at(a * 8 + k));
  }
}

TEST(Init, TruncatedNormalHasNoTails) {
  const auto cut = statistics({300, 300}, nn::init::truncated_normal(0.02));
  EXPECT_LE(cut.most, 0.04);
  EXPECT_GE(cut.least, -0.04);
  EXPECT_NEAR(cut.std, 0.02 * 0.8796, 0.0002);
}

TEST(Init, OrthogonalRowsOrColumns) {
  // Saxe's initialisation keeps the length of every vector: W W^T, or W^T W of a tall matrix, is 1.
  for (const Shape& shape : {Shape{5, 3, 2, 1}, Shape{7, 4}, Shape{4, 4}, Shape{1, 6}}) {
    Array w(DType::f64, shape);
    Random random(5, "w");
    nn::init::orthogonal()(w, random);
    const int64_t rows = shape[0], columns = shape.numel() / rows;
    const bool wide = rows <= columns;
    const auto at = [&](int64_t vector, int64_t i) {
      return wide ? w.at(vector * columns + i) : w.at(i * columns + vector);
    };
    for (int64_t a = 0; a < std::min(rows, columns); ++a) {
      for (int64_t b = 0; b < std::min(rows, columns); ++b) {
        double dot = 0;
        for (int64_t i = 0; i < std::max(rows, columns); ++i) dot += at(a, i) * at(b, i);
        EXPECT_NEAR(dot, a == b ? 1 : 0, 1e-12);
      }
    }
  }
}

TEST(Init, ValuesOfASeedAndNameNeverChange) {
  // A run can be repeated with a later version only while these do not move.
  Array array(DType::f64, {2, 2});
  Random random(42, "fc.weight");
  nn::init::uniform(1)(array, random);
  const double expected[] = {-0.018545950462645733, -0.98596211632848907, -0.2089133243474981,
                             0.35956615425996952};
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(array.at(i), expected[i]);
}

TEST(Init, GroupsCountOnlyTheInputsThatAreSummed) {
  const auto depthwise = statistics({400, 1, 3, 3}, nn::init::kaiming_uniform());
  EXPECT_NEAR(depthwise.most, 1.0 / 3, 0.01);
}

TEST(Init, EmptyAndFlatArraysAreFine) {
  for (const std::string& name : nn::init::names()) {
    const nn::Initializer initializer = nn::init::by_name(name);
    EXPECT_TRUE(std::isfinite(statistics({0, 0}, initializer).most));
    EXPECT_TRUE(std::isfinite(statistics({7}, initializer).most));
    EXPECT_TRUE(std::isfinite(statistics({}, initializer).most));
  }
}

int64_t count(const std::vector<const nn::Variable*>& variables) {
  int64_t total = 0;
  for (const nn::Variable* v : variables) total += v->shape().numel();
  return total;
}

TEST(Layers, WeightsHavePyTorchsShapes) {
  const nn::Scope s("layer");
  EXPECT_EQ(count(nn::Conv2d(s, 3, 16, {.kernel = 3, .padding = 1}).parameters()), 448);
  EXPECT_EQ(count(nn::Conv2d(s, 3, 64, {.kernel = 3}).parameters()), 1792);
  EXPECT_EQ(count(nn::Conv2d(s, 3, 64, {.kernel = 3, .bias = false}).parameters()), 1728);
  EXPECT_EQ(count(nn::Conv2d(s, 256, 64, {.kernel = 1}).parameters()), 16448);
  EXPECT_EQ(count(nn::Conv3d(s, 1, 8, {.kernel = 3}).parameters()), 224);
  EXPECT_EQ(nn::Conv2d(s, 6, 4, {.kernel = {3, 5}, .groups = 2}).weight.shape(),
            (Shape{4, 3, 3, 5}));
  EXPECT_EQ(nn::Conv1d(s, 6, 4, {.kernel = 7}).weight.shape(), (Shape{4, 6, 7}));
  EXPECT_EQ(nn::Linear(s, 5, 7).weight.shape(), (Shape{7, 5}));
  EXPECT_EQ(nn::ConvTranspose2d(s, 6, 4, {.kernel = {3, 5}, .groups = 2}).weight.shape(),
            (Shape{6, 2, 3, 5}));
  EXPECT_EQ(count(nn::GroupNorm(s, 4, 96).parameters()), 192);
  EXPECT_EQ(count(nn::InstanceNorm2d(s, 96).parameters()), 0);
  EXPECT_EQ(count(nn::InstanceNorm2d(s, 96, {.affine = true}).parameters()), 192);
  EXPECT_EQ(count(nn::PReLU(s, 3).parameters()), 3);
  EXPECT_EQ(count(nn::LayerNorm(s, {96}).parameters()), 192);
  EXPECT_EQ(count(nn::LayerNorm(s, {128, 28, 28}).parameters()), 200704);
  EXPECT_EQ(count(nn::LayerNorm(s, {96}, {.bias = false}).parameters()), 96);
  EXPECT_EQ(count(nn::LayerNorm(s, {96}, {.elementwise_affine = false}).variables()), 0);
  EXPECT_EQ(count(nn::LayerNormChannels(s, 96, {.elementwise_affine = false}).variables()), 0);
  EXPECT_EQ(count(nn::BatchNorm2d(s, 96).parameters()), 192);
  EXPECT_EQ(count(nn::BatchNorm2d(s, 96, {.affine = false}).parameters()), 0);
  EXPECT_EQ(count(nn::BatchNorm2d(s, 96, {.affine = false}).buffers()), 193);
}

/// The output shape of a layer in the root scope for `input`.
Shape out(const nn::Module& layer, const Shape& input, Mode mode = Mode::eval) {
  return nn::trace(layer, input, mode)->output("output").shape();
}

TEST(Layers, HaveTheDocumentedShapes) {
  const nn::Scope s("layer");
  const nn::ConvOptions stem{.kernel = {3, 5}, .stride = {2, 1}, .padding = {1, 2}};
  EXPECT_EQ(out(nn::Conv2d(s, 3, 8, stem), {2, 3, 9, 11}), (Shape{2, 8, 5, 11}));
  EXPECT_EQ(out(nn::Conv1d(s, 3, 8, {.kernel = 3}), {2, 3, 9}), (Shape{2, 8, 7}));
  EXPECT_EQ(out(nn::Conv3d(s, 3, 8, {.kernel = 3}), {2, 3, 9, 8, 7}), (Shape{2, 8, 7, 6, 5}));
  EXPECT_EQ(out(nn::Linear(s, 5, 7, {.bias = false}), {2, 4, 5}), (Shape{2, 4, 7}));
  EXPECT_EQ(out(nn::BatchNorm2d(s, 3), {2, 3, 4, 4}, Mode::train), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::LayerNorm(s, {4, 4}), {2, 3, 4, 4}), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::MaxPool2d(s, {.kernel = 3, .stride = 2, .padding = 1}), {2, 3, 9, 9}),
            (Shape{2, 3, 5, 5}));
  EXPECT_EQ(out(nn::AvgPool2d(s, 2), {2, 3, 9, 9}), (Shape{2, 3, 4, 4}));
  EXPECT_EQ(out(nn::AdaptiveAvgPool2d(s, {2, 3}), {2, 3, 9, 9}), (Shape{2, 3, 2, 3}));
  EXPECT_EQ(out(nn::Flatten(s), {2, 3, 4, 5}), (Shape{2, 60}));
  EXPECT_EQ(out(nn::Identity(s), {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(out(nn::Dropout(s, 0.2), {2, 3}, Mode::train), (Shape{2, 3}));
  EXPECT_EQ(out(nn::ReLU(s), {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(out(nn::LeakyReLU(s), {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(out(nn::Conv2d(s, 3, 8, {.kernel = 4, .stride = 2, .padding = "same"}), {2, 3, 9, 8}),
            (Shape{2, 8, 5, 4}));
  EXPECT_EQ(out(nn::Conv2d(s, 3, 8, {.kernel = 3, .padding = {{1, 0}, {0, 2}}}), {2, 3, 9, 8}),
            (Shape{2, 8, 8, 8}));
  EXPECT_EQ(out(nn::Conv2d(s, 3, 8, {.kernel = 3, .padding = 1, .padding_mode = PadMode::reflect}),
                {2, 3, 9, 8}),
            (Shape{2, 8, 9, 8}));
  const nn::ConvTransposeOptions up{.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1};
  EXPECT_EQ(out(nn::ConvTranspose2d(s, 3, 8, up), {2, 3, 4, 5}), (Shape{2, 8, 8, 10}));
  EXPECT_EQ(out(nn::ConvTranspose1d(s, 3, 8, {.kernel = 2, .stride = 2}), {2, 3, 4}),
            (Shape{2, 8, 8}));
  EXPECT_EQ(out(nn::MaxPool1d(s, 2), {2, 3, 9}), (Shape{2, 3, 4}));
  EXPECT_EQ(out(nn::AvgPool3d(s, 2), {2, 3, 9, 8, 7}), (Shape{2, 3, 4, 4, 3}));
  EXPECT_EQ(out(nn::AdaptiveMaxPool2d(s, 1), {2, 3, 9, 9}), (Shape{2, 3, 1, 1}));
  EXPECT_EQ(out(nn::Upsample(s, 2, {.mode = UpsampleMode::linear}), {2, 3, 4, 5}),
            (Shape{2, 3, 8, 10}));
  EXPECT_EQ(out(nn::Upsample(s, {1.5, 0.5}), {2, 3, 5, 7}), (Shape{2, 3, 7, 3}));
  EXPECT_EQ(out(nn::PixelShuffle(s, 2), {2, 12, 4, 5}), (Shape{2, 3, 8, 10}));
  EXPECT_EQ(out(nn::ChannelShuffle(s, 3), {2, 12, 4, 5}), (Shape{2, 12, 4, 5}));
  EXPECT_EQ(out(nn::GroupNorm(s, 3, 12), {2, 12, 4, 5}), (Shape{2, 12, 4, 5}));
  EXPECT_EQ(out(nn::Softmax(s, -1), {2, 3, 4}), (Shape{2, 3, 4}));
}

/// The output of a layer for an input, in float64.
Array run(const nn::Module& layer, const Array& input) {
  State state;
  nn::declare(state, layer, 1, DType::f64);
  const auto graph = nn::trace(layer, input.shape(), Mode::eval, DType::f64);
  Memory memory;
  return Program(*graph).run(memory, state, {{"input", input}})[0].clone();
}

TEST(Layers, NormsEqualTheirFunctions) {
  // A layer that passes its arrays in the wrong order would normalise with the wrong numbers.
  const nn::Scope s("layer");
  const Shape shape{2, 4, 3, 3};
  Array x(DType::f64, shape);
  Random random(2, "x");
  for (double& value : x.data<double>()) value = random.normal();
  const auto expect_same = [&](const nn::Module& layer, const auto& function) {
    const Array got = run(layer, x);
    const Array expected = eval([&](const Tensors& t) { return Tensors{function(t[0])}; }, {x})[0];
    for (int64_t i = 0; i < x.numel(); ++i) EXPECT_NEAR(got.at(i), expected.at(i), 1e-12);
  };
  expect_same(nn::GroupNorm(s, 2, 4), [](Tensor t) { return group_norm(t, 2); });
  expect_same(nn::InstanceNorm2d(s, 4), [](Tensor t) { return instance_norm(t); });
  expect_same(nn::GlobalResponseNorm(s, 4), [](Tensor t) { return t * 1.0; });
  expect_same(nn::LayerScale(s, 4, 0.5), [](Tensor t) { return t * 0.5; });
  expect_same(nn::PReLU(s, 4), [](Tensor t) { return leaky_relu(t, 0.25); });
  expect_same(nn::ELU(s, 2), [](Tensor t) { return elu(t, 2); });
  expect_same(nn::Softmax(s), [](Tensor t) { return softmax(t); });
}

TEST(Layers, DropoutIsTheIdentityOutsideTraining) {
  const nn::Dropout layer(nn::Scope("layer"), 0.5);
  EXPECT_TRUE(nn::trace(layer, {2, 3})->nodes().empty());
  EXPECT_EQ(nn::trace(layer, {2, 3}, Mode::train)->nodes().size(), 1u);
  EXPECT_TRUE(nn::trace(nn::Dropout2d(nn::Scope("layer")), {2, 3, 4, 4})->nodes().empty());
  EXPECT_TRUE(nn::trace(nn::DropPath(nn::Scope("layer"), 0.1), {2, 3, 4, 4})->nodes().empty());
}

TEST(Layers, ImpossibleSizesAreRefusedWhereTheyAreWritten) {
  const nn::Scope s("layer");
  expect_error(
      ErrorKind::usage,
      "conv2d: 0 input and 4 output channels; at least 1 of each is needed\n  at      layer (",
      [&] { nn::Conv2d(s, 0, 4, {.kernel = 3}); });
  expect_error(ErrorKind::usage,
               "conv2d: groups=0 does not divide 4 input and 4 output channels\n  at      layer (",
               [&] { nn::Conv2d(s, 4, 4, {.kernel = 3, .groups = 0}); });
  expect_error(ErrorKind::usage,
               "conv2d: groups=4 does not divide 4 input and 6 output channels\n  at      layer (",
               [&] { nn::Conv2d(s, 4, 6, {.kernel = 3, .groups = 4}); });
  expect_error(
      ErrorKind::usage,
      "conv_transpose2d: groups=4 does not divide 4 input and 6 output channels\n  at      layer (",
      [&] { nn::ConvTranspose2d(s, 4, 6, {.kernel = 3, .groups = 4}); });
  expect_error(ErrorKind::usage, "max_pool1d: the input has 4 axes; N, C, L are expected", [&] {
    out(nn::MaxPool1d(s, 2), {2, 3, 9, 9});
  });
  expect_error(
      ErrorKind::usage,
      "linear: 4 input and -1 output features; at least 1 of each is needed\n  at      layer (",
      [&] { nn::Linear(s, 4, -1); });
}

}  // namespace
}  // namespace fovea
