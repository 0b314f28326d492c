#include "fovea/draw/grid.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "error_text.h"

namespace fovea::draw {
namespace {

TEST(Grid, HoldsEachPictureEnlarged) {
  std::vector<Tile> tiles;
  for (int i = 0; i < 5; ++i) {
    Image image = Image::black(28, 28, 1);
    std::fill(image.pixels.begin(), image.pixels.end(), static_cast<uint8_t>(40 * i));
    tiles.push_back({image, "class " + std::to_string(i)});
  }
  const Image drawn = grid(tiles);  // 3 columns, 2 rows, each pixel 4 x 4
  EXPECT_EQ(drawn.channels, 3);
  EXPECT_EQ(drawn.width, 8 + 3 * (112 + 8));
  EXPECT_EQ(drawn.height, 8 + 2 * (112 + 13 + 8));
  for (int i = 0; i < 5; ++i) {
    const int top = 8 + i / 3 * 133, left = 8 + i % 3 * 120;
    EXPECT_EQ(*drawn.at(top, left), 40 * i);
    EXPECT_EQ(*drawn.at(top + 111, left + 111), 40 * i);
    EXPECT_EQ(*drawn.at(top - 1, left), 255);
    EXPECT_EQ(*drawn.at(top, left + 112), 255);
  }
  tiles.resize(1);
  tiles[0].caption = "a name that is longer than its picture is wide";
  const Image one = grid(tiles, {.columns = 7, .scale = 1, .margin = 2});
  EXPECT_EQ(one.width, 32);
  for (int y = 0; y < one.height; ++y) EXPECT_EQ(*one.at(y, 31), 255) << "text in the margin";
}

TEST(Grid, ATitleAddsALineAndMissingCaptionsRemoveOne) {
  const std::vector<Tile> tiles(1, {Image::black(28, 28, 3)});
  EXPECT_EQ(grid(tiles).height, 8 + 112 + 8);
  EXPECT_EQ(grid(tiles, {.title = "conv1"}).height, 8 + 18 + 8 + 112 + 8);
}

TEST(Grid, BadGridsAreErrors) {
  expect_error(ErrorKind::usage, "a grid of pictures: there is no picture", [] { grid({}); });
  const std::vector<Tile> tiles(1, {Image::black(28, 28, 1), ""});
  expect_error(ErrorKind::usage, "scale and margin must be from 0 to 65536",
               [&] { grid(tiles, {.scale = -1}); });
  expect_error(ErrorKind::usage, "it would have 1680016x1680016 pixels",
               [&] { grid(tiles, {.scale = 60000}); });
}

}  // namespace
}  // namespace fovea::draw
