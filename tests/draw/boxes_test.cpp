#include "fovea/draw/boxes.h"

#include <gtest/gtest.h>

#include <set>

#include "fovea/draw/classes.h"

namespace fovea::draw {
namespace {

std::array<uint8_t, 3> pixel(const Image& image, int y, int x) {
  return {image.at(y, x)[0], image.at(y, x)[1], image.at(y, x)[2]};
}

std::array<uint8_t, 3> color_of(size_t label) { return class_colors(10)[label + 1]; }

TEST(BoxPicture, AFrameInTheColourOfItsClassLiesInTheBox) {
  const Image image = Image::black(100, 120, 1);
  const Image drawn = box_picture(image, {{.box = {20, 30, 40, 50}, .label = 2}});
  EXPECT_EQ(drawn.channels, 3);
  for (const auto& [y, x] : {std::pair<int, int>{20, 30}, {20, 79}, {59, 30}, {59, 79}, {40, 30}})
    EXPECT_EQ(pixel(drawn, y, x), color_of(2)) << y << " " << x;
  for (const auto& [y, x] : {std::pair<int, int>{19, 30}, {60, 79}, {40, 29}, {40, 80}, {40, 50}})
    EXPECT_EQ(pixel(drawn, y, x), (std::array<uint8_t, 3>{0, 0, 0})) << y << " " << x;
}

TEST(BoxPicture, ANameStandsAboveTheBoxOrInsideAtTheTop) {
  const Image image = Image::black(100, 120, 3);
  const Image above = box_picture(image, {{.box = {50, 10, 40, 60}, .label = 0, .text = "cat"}});
  EXPECT_EQ(pixel(above, 39, 11), color_of(0));
  EXPECT_EQ(pixel(above, 56, 13), (std::array<uint8_t, 3>{0, 0, 0}));
  const Image inside = box_picture(image, {{.box = {0, 10, 40, 60}, .label = 0, .text = "cat"}});
  EXPECT_EQ(pixel(inside, 1, 11), color_of(0));
  // At the right border it moves to the left, and a name wider than the picture is cut off.
  const Image right =
      box_picture(image, {{.box = {50, 110, 40, 10}, .label = 0, .text = "a giraffe"}});
  EXPECT_EQ(pixel(right, 39, 119 - text_width("a giraffe")), color_of(0));
  EXPECT_NO_THROW(
      box_picture(image, {{.box = {50, 0, 40, 10}, .label = 0, .text = std::string(500, 'x')}}));
}

TEST(BoxPicture, WhatDoesNotCountIsDashed) {
  const Image image = Image::black(100, 120, 3);
  const Image drawn = box_picture(image, {{.box = {10, 10, 80, 100}, .label = 1, .dashed = true}});
  std::set<bool> along;
  for (int x = 12; x < 108; ++x) along.insert(pixel(drawn, 10, x) == color_of(1));
  EXPECT_EQ(along, (std::set<bool>{false, true}));
}

TEST(BoxPicture, ASmallPictureIsEnlargedFirst) {
  const Image drawn =
      box_picture(Image::black(28, 20, 1), {{.box = {4, 5, 10, 10}, .label = 0}}, 200);
  EXPECT_EQ(drawn.height, 28 * 8);
  EXPECT_EQ(drawn.width, 20 * 8);
  EXPECT_EQ(pixel(drawn, 32, 40), color_of(0));
  EXPECT_EQ(box_picture(Image::black(300, 20, 1), {}, 200).height, 300);
}

}  // namespace
}  // namespace fovea::draw
