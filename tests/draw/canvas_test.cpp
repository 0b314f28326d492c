#include "fovea/draw/canvas.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "error_text.h"

namespace fovea::draw {
namespace {

Image letter(const std::string& text) {
  Canvas canvas(letter_height, letter_advance);
  canvas.text(0, 0, text);
  return canvas.image();
}

// Captions are useless if two letters look the same.
TEST(Canvas, EveryPrintableCharacterHasAGlyphOfItsOwn) {
  std::set<std::string> seen;
  for (char c = 32; c < 127; ++c) {
    const Image drawn = letter(std::string(1, c));
    const std::string pixels(drawn.pixels.begin(), drawn.pixels.end());
    EXPECT_TRUE(seen.insert(pixels).second) << "a second " << c;
  }
  EXPECT_TRUE(letter("\n") == letter("?"));
  EXPECT_TRUE(letter("\u00e9") == letter("?"));  // one "?", though two bytes
}

TEST(Canvas, WhatDoesNotFitIsLeftOut) {
  Canvas canvas(8, 8);
  const Image blank = canvas.image();
  canvas.text(-9, 0, "W");
  canvas.text(0, 8, "W", {.scale = 2});
  canvas.line({-5, -5}, {-5, 1e9}, ink, 2);
  canvas.line({0, 0}, {NAN, 4}, ink);
  canvas.disk({1e300, -1e300}, 3, ink);
  canvas.fill({20, 20, 1e12, 1e12}, ink);
  canvas.paste(Image::black(3, 3, 1), -3, 2);
  canvas.paste(Image::black(3, 3, 1), 2, int64_t{1} << 40);
  EXPECT_TRUE(canvas.image() == blank);
  canvas.paste(Image::black(3, 3, 1), -2, -2);
  EXPECT_EQ(*canvas.image().at(0, 0), 0);
  EXPECT_EQ(*canvas.image().at(0, 1), 255);
  canvas.text(-3, -3, "WWWWWWWW");
  canvas.clip({0, 0, 1, 1});
  canvas.fill({0, 0, 100, 100}, {1, 2, 3});
  EXPECT_EQ(*canvas.image().at(0, 0), 1);
  EXPECT_EQ(*canvas.image().at(7, 7), 255);
}

TEST(Canvas, LinesAreAntialiased) {
  Canvas canvas(10, 10);
  canvas.line({5, 1}, {5, 9}, {0, 0, 0}, 2);
  EXPECT_EQ(*canvas.image().at(4, 5), 0);
  EXPECT_EQ(*canvas.image().at(5, 5), 0);
  EXPECT_EQ(*canvas.image().at(7, 5), 255);
  canvas.line({2.25, 1}, {2.25, 9}, {0, 0, 0}, 1);
  const int edge = *canvas.image().at(1, 5);
  EXPECT_GT(edge, 100);
  EXPECT_LT(edge, 255);
}

TEST(Canvas, HostileSizesAreErrors) {
  expect_error(ErrorKind::usage, "a picture of 1000000x1000000 pixels is too large to draw",
               [] { Canvas(1000000, 1000000); });
  expect_error(ErrorKind::usage, "", [] { Canvas(0, 5); });
}

TEST(Canvas, TextIsCutOffToItsWidth) {
  EXPECT_EQ(fitted("abcdef", 36), "abcdef");
  EXPECT_EQ(fitted("abcdefg", 36), "abcd..");
  EXPECT_EQ(fitted("abcdefg", 0), "");
  EXPECT_EQ(text_width("abc", 2), 34);
}

}  // namespace
}  // namespace fovea::draw
