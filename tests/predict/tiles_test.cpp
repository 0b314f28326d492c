#include "fovea/predict/tiles.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/core/random.h"
#include "fovea/models/registry.h"
#include "fovea/nn.h"

namespace fovea {
namespace {

Array noise(int64_t height, int64_t width) {
  Random random(3, "tiles");
  Array image(DType::u8, {height, width, 1});
  for (int64_t i = 0; i < image.numel(); ++i) image.set(i, static_cast<double>(random.below(256)));
  return image;
}

Array batch_of(const Array& image) { return image.reshaped(Shape{1}.concat(image.shape())); }

const Normalization normalization{{0.5}, {0.25}};

TEST(Tiles, AgreeWithTheWholeImageWhereTheNetSeesOnlyOnePixel) {
  const nn::Conv2d net(nn::Scope("net"), 1, 3, {.kernel = 1});
  State state;
  nn::declare(state, net, 1);
  Inference inference(net, state, normalization);
  struct Case {
    int64_t height, width, tile;
  };
  for (const auto& [height, width, tile] : {Case{40, 71, 16},
                                            {16, 16, 16},
                                            {5, 90, 16},
                                            {3, 3, 16},
                                            {1, 1, 16},
                                            {1, 40, 16},
                                            {17, 16, 16},
                                            {7, 300, 64},
                                            {333, 517, 100},
                                            {33, 51, 512},
                                            {9, 5, 1},
                                            {9, 5, 2}}) {
    SCOPED_TRACE(fmt::format("{}x{} in tiles of {}", height, width, tile));
    const Array image = noise(height, width);
    const Array all = inference.output(batch_of(image)).clone();
    for (const int64_t overlap : {int64_t{0}, tile / 16, tile / 2}) {
      const Array tiled = tiled_output(inference, image, {.tile = tile, .overlap = overlap});
      ASSERT_EQ(tiled.shape(), all.shape());
      for (int64_t i = 0; i < all.numel(); ++i) ASSERT_NEAR(tiled.at(i), all.at(i), 1e-5);
    }
  }
}

TEST(Tiles, LeaveNoSeams) {
  // A blur that looks 4 pixels far: near the border of a tile it lacks pixels. Neighbours in the
  // tiled output may differ by no more than neighbours in the output for the image itself.
  const nn::Conv2d net(nn::Scope("net"), 1, 1, {.kernel = 9, .padding = 4, .bias = false});
  State state;
  nn::declare(state, net, 1);
  Array& weight = state.get("weight");
  for (int64_t i = 0; i < weight.numel(); ++i) weight.set(i, 1.0 / 81);
  Inference inference(net, state, {{0}, {1}});
  const Array white = Array::full(DType::u8, {64, 64, 1}, 255);
  const auto largest_step = [](const Array& y) {
    double step = 0;
    for (int64_t x = 5; x < 59; ++x)
      step = std::max(step, std::abs(y.at(32 * 64 + x) - y.at(32 * 64 + x + 1)));
    return step;
  };
  EXPECT_GT(largest_step(tiled_output(inference, white, {.tile = 32, .overlap = 0})), 0.06);
  EXPECT_LT(largest_step(tiled_output(inference, white, {.tile = 32, .overlap = 16})), 0.03);
}

TEST(Tiles, MistakesAreRefused) {
  const nn::Conv2d net(nn::Scope("net"), 1, 1, {.kernel = 3});
  State state;
  nn::declare(state, net, 1);
  Inference inference(net, state, normalization);
  EXPECT_EQ(
      error_text(ErrorKind::usage,
                 [&] { (void)tiled_output(inference, noise(9, 9), {.tile = 8, .overlap = 5}); }),
      "tiles: the overlap must be at most half a tile\n  tile    8\n  overlap 5");
  EXPECT_EQ(
      error_text(ErrorKind::usage,
                 [&] { (void)tiled_output(inference, noise(9, 9), {.tile = 8, .overlap = 2}); }),
      "tiles are for nets that give as many pixels as they get\n  tile    8x8\n  output  f32[1, "
      "1, 6, 6]");
}

}  // namespace
}  // namespace fovea
