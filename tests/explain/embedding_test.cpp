#include "fovea/explain/embedding.h"

#include <cmath>
#include <cstring>

#include "error_text.h"
#include "explain/nets.h"
#include "fovea/data/dataset.h"
#include "fovea/explain/maximize.h"

namespace fovea::explain {
namespace {

/// Points around `clusters` centres far from each other.
Array clustered(int64_t count, int64_t width, int64_t clusters) {
  Array points(DType::f32, {count, width});
  for (int64_t i = 0; i < count; ++i) {
    Random random(3, "points", static_cast<uint64_t>(i)),
        centre(3, "centre", static_cast<uint64_t>(i % clusters));
    for (int64_t k = 0; k < width; ++k)
      points.set(i * width + k, 5 * centre.normal() + random.normal());
  }
  return points;
}

double distance(const Array& points, int64_t a, int64_t b) {
  double sum = 0;
  const int64_t width = points.dim(1);
  for (int64_t k = 0; k < width; ++k)
    sum += std::pow(points.at(a * width + k) - points.at(b * width + k), 2);
  return std::sqrt(sum);
}

TEST(Pca, FindsTheDirectionsOfGreatestVariance) {
  // Variances 100, 25 and 1 along a rotated basis, and a mean far from 0.
  const double u[3][3] = {{0.6, 0.8, 0}, {-0.8, 0.6, 0}, {0, 0, 1}}, scale[3] = {10, 5, 1};
  Array points(DType::f32, {200, 3});
  double coordinates[200][3], mean[3] = {0, 0, 0};
  for (int64_t i = 0; i < 200; ++i) {
    for (int64_t k = 0; k < 3; ++k) {  // three waves, orthogonal over the points
      coordinates[i][k] =
          scale[k] * std::sqrt(2) * std::cos(2 * M_PI * static_cast<double>(i * (k + 1)) / 200);
      mean[k] += coordinates[i][k] / 200;
    }
    for (int64_t j = 0; j < 3; ++j) {
      double v = 50;
      for (int64_t k = 0; k < 3; ++k) v += coordinates[i][k] * u[k][j];
      points.set(i * 3 + j, v);
    }
  }
  const Principal p = principal_components(points, 2);
  ASSERT_EQ(p.points.shape(), (Shape{200, 2}));
  EXPECT_NEAR(p.explained[0], 100.0 / 126, 1e-5);
  EXPECT_NEAR(p.explained[1], 25.0 / 126, 1e-5);
  const double sign[2] = {1, -1};  // the largest coefficient is positive: 0.8 and -(-0.8)
  for (int64_t i = 0; i < 200; ++i) {
    for (int64_t k = 0; k < 2; ++k)
      EXPECT_NEAR(p.points.at(i * 2 + k), sign[k] * (coordinates[i][k] - mean[k]), 1e-3);
  }
}

TEST(Pca, TakesFewerPointsThanFeaturesAndConstantOnes) {
  const Array few = clustered(5, 40, 5);
  const Principal p = principal_components(few, 50);
  ASSERT_EQ(p.points.shape(), (Shape{5, 5}));
  for (int64_t a = 0; a < 5; ++a) {  // distances are kept where no direction is left out
    for (int64_t b = 0; b < 5; ++b)
      EXPECT_NEAR(distance(p.points, a, b), distance(few, a, b), 1e-3);
  }
  const Principal flat = principal_components(Array::full(DType::f32, {6, 3}, 4), 2);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(flat.points.at(i), 0);
  EXPECT_EQ(flat.explained[0], 0);
}

TEST(Tsne, KeepsNeighboursTogetherAndDependsOnTheSeedOnly) {
  const Array points = clustered(90, 10, 3);
  const Array map = tsne(points, {.perplexity = 10, .iterations = 250});
  ASSERT_EQ(map.shape(), (Shape{90, 2}));
  int right = 0;
  for (int64_t i = 0; i < 90; ++i) {
    int64_t best = -1;
    for (int64_t j = 0; j < 90; ++j) {
      if (j != i && (best < 0 || distance(map, i, j) < distance(map, i, best))) best = j;
    }
    right += best % 3 == i % 3;
  }
  EXPECT_EQ(right, 90);
  const Array again = tsne(points, {.perplexity = 10, .iterations = 250});
  EXPECT_EQ(std::memcmp(map.raw(), again.raw(), map.bytes()), 0);
  for (int64_t n : {1, 2, 3}) {  // too few to have neighbours
    const Array small = tsne(clustered(n, 4, 3));
    for (int64_t i = 0; i < small.numel(); ++i) EXPECT_TRUE(std::isfinite(small.at(i)));
  }
  const Array same = tsne(Array::full(DType::f32, {8, 3}, 1), {.iterations = 50});
  for (int64_t i = 0; i < same.numel(); ++i) EXPECT_TRUE(std::isfinite(same.at(i)));
  expect_error(ErrorKind::usage, "t-SNE: 10001 points are too many", [] {
    (void)tsne(Array::zeros(DType::f32, {10'001, 1}));
  });
}

TEST(Features, AreWhatTheLastLayerTakes) {
  Filled net("keras_cnn");  // fc after global pooling of relu(conv3)
  const Array images = golden_fill::uniform("images", DType::f32, {3, 3, 32, 32});
  const Array found = features(net.explainer, images), outputs = net.explainer.outputs(images);
  ASSERT_EQ(found.shape(), (Shape{3, 128}));
  const Array &weight = net.state.get("fc.weight"), &bias = net.state.get("fc.bias");
  for (int64_t i = 0; i < 3; ++i) {
    double y = bias.at(7);
    for (int64_t k = 0; k < 128; ++k) y += found.at(i * 128 + k) * weight.at(7 * 128 + k);
    EXPECT_NEAR(y, outputs.at(i * 10 + 7), 1e-4);
  }
  const Array pooled = features(net.explainer, images, "conv3+relu");
  for (int64_t i = 0; i < pooled.numel(); ++i) EXPECT_NEAR(pooled.at(i), found.at(i), 1e-5);
  const std::vector<Neighbour> near = nearest(found, found, 1, 2);
  EXPECT_EQ(near[0].point, 1);
  EXPECT_NEAR(near[0].similarity, 1, 1e-6);
  EXPECT_LE(near[1].similarity, near[0].similarity);
}

TEST(Maximize, FindsInputsThatAClassAndAChannelLike) {
  Corner corner;
  for (const bool fourier : {true, false}) {
    const MaximizeOptions options{.steps = 40, .fourier = fourier, .jitter = 2, .blur = 1};
    const std::vector<Maximized> found =
        maximize(corner.explainer, {{.channel = 1}, {.channel = 0}}, {1, 32, 32}, {}, options);
    ASSERT_EQ(found.size(), 2u);
    const Array marked = corner.images(2, 3001);  // the first has the mark
    const double real = corner.explainer.outputs(marked).at(1);
    EXPECT_GT(found[0].after, found[0].before + 1) << fourier;
    EXPECT_GT(found[0].after, 0.5 * real) << fourier;
    for (float v : found[0].image.data<float>()) EXPECT_TRUE(v >= 0 && v <= 1);
    // Its value is that of the image as the model sees it.
    Array seen = found[0].image.reshaped({1, 1, 32, 32}).clone();
    for (float& v : seen.data<float>()) v = 4 * v - 2;
    EXPECT_NEAR(corner.explainer.outputs(seen).at(1), found[0].after, 1e-3);
    const std::vector<Maximized> again =
        maximize(corner.explainer, {{.channel = 1}}, {1, 32, 32}, {}, options);
    for (int64_t i = 0; i < 1024; ++i)  // whatever else is searched for
      ASSERT_NEAR(again[0].image.at(i), found[0].image.at(i), 1e-3);
  }
  const std::vector<Maximized> channel =
      maximize(corner.explainer, {{"conv2", 3}}, {1, 32, 32}, {}, {.steps = 20, .jitter = 1});
  EXPECT_GT(channel[0].after, channel[0].before);
  expect_error(ErrorKind::usage, "maximize: there is no channel 16\n  result   f32[1, 16, 16, 16]",
               [&] {
                 (void)maximize(corner.explainer, {{"conv2", 16}}, {1, 32, 32}, {});
               });
  expect_error(ErrorKind::usage, "maximize: there is no class 2", [&] {
    (void)maximize(corner.explainer, {{.channel = 2}}, {1, 32, 32}, {});
  });
}

/// A convolution over 1 or 3 axes and the mean of what it finds.
template <class Conv>
class Detector : public nn::Module {
 public:
  Detector(const nn::Scope& s, int channels)
      : Module(s), conv(at("conv"), channels, 4, {.kernel = 3, .padding = 1}), fc(at("fc"), 4, 2) {}
  Tensor forward(Tensor x) const override {
    x = relu(conv(x));
    std::vector<int> axes;
    for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
    return fc(mean(x, axes));
  }
  Conv conv;
  nn::Linear fc;
};

template <class Conv>
void expect_found(const Shape& input, bool masked) {
  Detector<Conv> model(nn::Scope("detector"), static_cast<int>(input[0]));
  State state;
  nn::declare(state, model, 1);
  Explainer explainer(model, state);
  const auto found = maximize(explainer, {{.channel = 1}}, input,
                              {.mean = {}, .std = {}, .masked = masked}, {.steps = 30});
  EXPECT_EQ(found[0].image.shape(), input);
  EXPECT_GT(found[0].after, found[0].before);
  Array seen = found[0].image.reshaped(Shape{1}.concat(input)).clone();
  for (float& v : seen.data<float>()) {
    EXPECT_TRUE(v >= 0 && v <= 1);
    v = 4 * v - 2;
  }
  const int64_t each = seen.numel() / input[0];
  for (int64_t i = 0; masked && i < each; ++i) seen.set(seen.numel() - 1 - i, 1);
  EXPECT_NEAR(explainer.outputs(seen).at(1), found[0].after, 1e-3);
  const auto again = maximize(explainer, {{.channel = 1}}, input,
                              {.mean = {}, .std = {}, .masked = masked}, {.steps = 30});
  for (int64_t i = 0; i < seen.numel(); ++i)
    ASSERT_EQ(again[0].image.at(i), found[0].image.at(i)) << "the seed decides";
}

TEST(Maximize, SearchesSeriesWavesAndVolumes) {
  expect_found<nn::Conv1d>({2, 60}, false);
  expect_found<nn::Conv1d>({2, 60}, true);
  expect_found<nn::Conv1d>({1, longest_waves + 5}, false);  // position by position
  expect_found<nn::Conv3d>({1, 4, 10, 12}, false);
}

TEST(Maximize, ListsTheSamplesThatExciteMost) {
  Corner corner;
  const int64_t count = 150;
  const Array images = corner.images(count, 4000);
  const data::ArrayDataset samples(images, Array::of(corner.labels(count, 4000)),
                                   data::class_targets({"plain", "marked"}));
  const auto best = most_exciting(corner.explainer, {{.channel = 1}, {.channel = 0}}, samples, 5);
  ASSERT_EQ(best.size(), 2u);
  const Array outputs = corner.explainer.outputs(images);
  for (size_t g = 0; g < 2; ++g) {
    const int64_t label = g == 0 ? 1 : 0;
    ASSERT_EQ(best[g].size(), 5u);
    for (const Exciting& e : best[g]) {
      EXPECT_EQ(e.sample % 2, label);
      EXPECT_NEAR(e.value, outputs.at(e.sample * 2 + label), 1e-4);
    }
    int better = 0;
    for (int64_t i = 0; i < count; ++i)
      better += outputs.at(i * 2 + label) > best[g][4].value + 1e-4;
    EXPECT_LE(better, 4);
  }
}

}  // namespace
}  // namespace fovea::explain
