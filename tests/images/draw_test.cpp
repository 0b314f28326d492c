#include "fovea/images/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "error_text.h"

namespace fovea {
namespace {

Image letter(const std::string& text) {
  Image canvas = Image::black(letter_height, letter_advance, 3);
  std::fill(canvas.pixels.begin(), canvas.pixels.end(), uint8_t{255});
  draw_text(canvas, 0, 0, text);
  return canvas;
}

// Captions are useless if two letters look the same.
TEST(Draw, EveryPrintableCharacterHasAGlyphOfItsOwn) {
  std::set<std::string> seen;
  for (char c = 32; c < 127; ++c) {
    const Image drawn = letter(std::string(1, c));
    const std::string pixels(drawn.pixels.begin(), drawn.pixels.end());
    EXPECT_TRUE(seen.insert(pixels).second) << "a second " << c;
  }
  EXPECT_TRUE(letter("\n") == letter("?"));
  EXPECT_TRUE(letter("\u00e9") == letter("?"));  // one "?", though two bytes
}

TEST(Draw, TextIsClippedAtTheEdges) {
  const Image blank = letter(" ");
  Image canvas = blank;
  draw_text(canvas, -letter_height, 0, "W");
  draw_text(canvas, 0, letter_advance, "W");
  draw_text(canvas, letter_height, 0, "W");
  EXPECT_TRUE(canvas == blank);
  draw_text(canvas, -3, -3, "WWWWWWWW");
  EXPECT_FALSE(canvas == blank);
}

TEST(Draw, AGridHoldsEachPictureEnlarged) {
  std::vector<Tile> tiles;
  for (int i = 0; i < 5; ++i) {
    Image image = Image::black(28, 28, 1);
    std::fill(image.pixels.begin(), image.pixels.end(), static_cast<uint8_t>(40 * i));
    tiles.push_back({image, "class " + std::to_string(i)});
  }
  const Image grid = draw_grid(tiles);  // 3 columns, 2 rows, each pixel 4 x 4
  EXPECT_EQ(grid.channels, 3);
  EXPECT_EQ(grid.width, 8 + 3 * (112 + 8));
  EXPECT_EQ(grid.height, 8 + 2 * (112 + 11 + 8));
  for (int i = 0; i < 5; ++i) {
    const int top = 8 + i / 3 * 131, left = 8 + i % 3 * 120;
    EXPECT_EQ(*grid.at(top, left), 40 * i);
    EXPECT_EQ(*grid.at(top + 111, left + 111), 40 * i);
    EXPECT_EQ(*grid.at(top - 1, left), 255);
    EXPECT_EQ(*grid.at(top, left + 112), 255);
  }
  tiles.resize(1);
  tiles[0].caption = "a name that is longer than its picture is wide";
  const Image one = draw_grid(tiles, {.columns = 7, .scale = 1, .margin = 2});
  EXPECT_EQ(one.width, 32);
  for (int y = 0; y < one.height; ++y) EXPECT_EQ(*one.at(y, 31), 255) << "text in the margin";
}

TEST(Draw, BadGridsAreErrors) {
  expect_error(ErrorKind::usage, "draw_grid: there is no image", [] { draw_grid({}); });
  const std::vector<Tile> tiles(1, {Image::black(28, 28, 1), ""});
  expect_error(ErrorKind::usage, "scale and margin must be from 0 to 65536",
               [&] { draw_grid(tiles, {.scale = -1}); });
  expect_error(ErrorKind::usage, "the picture would have 1680027x1680016 pixels",
               [&] { draw_grid(tiles, {.scale = 60000}); });
}

}  // namespace
}  // namespace fovea
