#include "fovea/data/boxes.h"

#include <algorithm>
#include <cmath>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/moves.h"
#include "fovea/data/prepared.h"
#include "fovea/data/transforms/mixup.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

const Type image{DType::u8, {8, 10, 3}};

TEST(Boxes, TheirTypeHasTheCapacityOfTheDataSet) {
  const Targets targets = box_targets({"cat", "dog"}, 7);
  EXPECT_TRUE(is_boxes(targets.type));
  EXPECT_TRUE(lies_in_image(targets.type));
  EXPECT_EQ(target_type(targets, image), (Type{DType::f32, {7, 5}}));
  EXPECT_FALSE(is_boxes({DType::f32, Shape{5}}));
  EXPECT_FALSE(lies_in_image(class_targets({"cat"}).type));
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] {
                         target_type(targets, {DType::f32, {3, 8, 10}});
                       }),
            "boxes need images u8 or u16 [H, W, C]\n  found   f32[3, 8, 10]");
  EXPECT_EQ(error_text(ErrorKind::usage, [] { box_targets({"cat"}, 0); }),
            "boxes have one class or more, and a capacity of 1 or more\n"
            "  classes  1\n"
            "  capacity 0");
}

TEST(Boxes, RowsBecomeBoxesAndBack) {
  const std::vector<ClassBox> boxes{
      {.x1 = 0, .y1 = 1, .x2 = 9.5, .y2 = 7.25, .label = 0},
      {.x1 = 2, .y1 = 2, .x2 = 3, .y2 = 4, .label = 300, .counts = false}};
  const Array array = box_array(boxes, 3);
  EXPECT_EQ(array.shape(), (Shape{3, 5}));
  EXPECT_EQ(array.at(4), 1);
  EXPECT_EQ(array.at(9), -301);
  for (int64_t i = 10; i < 15; ++i) EXPECT_EQ(array.at(i), 0) << "a row without a box is 0";
  EXPECT_EQ(boxes_of(array), boxes);
  EXPECT_THROW(box_array(boxes, 1), Error);
}

TEST(Boxes, ArraysOfImagesAndBoxesAreADataSet) {
  const Array images = Array::zeros(DType::u8, {2, 8, 10, 3});
  const ArrayDataset set(images, Array::zeros(DType::f32, {2, 4, 5}), box_targets({"cat"}, 1));
  EXPECT_EQ(set.sample(1).target.shape(), (Shape{4, 5}));
  EXPECT_EQ(set.targets().capacity, 4);
  expect_error(ErrorKind::usage, "targets f32[2, 1, 5]", [&] {
    ArrayDataset(images, Array::zeros(DType::f32, {2, 5}), box_targets({"cat"}, 1));
  });
  expect_error(ErrorKind::usage, "class 1 of a box is not one of 1", [&] {
    ArrayDataset(images, Array::full(DType::f32, {2, 4, 5}, 2), box_targets({"cat"}, 1));
  });
}

TEST(Boxes, BatchesOfThemCannotBeMixed) {
  // A mean of two boxes is a box around nothing.
  expect_error(ErrorKind::usage, "mixup:0.2 needs targets that are classes or numbers",
               [] { Mixup(0.2).output(box_targets({"cat"}, 4)); });
}

ClassBox corners(double x1, double y1, double x2, double y2) {
  return {.x1 = x1, .y1 = y1, .x2 = x2, .y2 = y2, .label = 2};
}

/// A black image with boxes of white: what a box is around can be seen.
Sample sample_of(int64_t height, int64_t width, const std::vector<ClassBox>& boxes) {
  Array pixels = Array::zeros(DType::u8, {height, width, 1});
  for (const ClassBox& b : boxes) {
    for (auto y = static_cast<int64_t>(b.y1); y < static_cast<int64_t>(b.y2); ++y) {
      for (auto x = static_cast<int64_t>(b.x1); x < static_cast<int64_t>(b.x2); ++x)
        pixels.set(y * width + x, 255);
    }
  }
  return {pixels, box_array(boxes, 3)};
}

/// The smallest box around the bright pixels of an image.
ClassBox around_white(const Array& pixels) {
  ClassBox found = corners(1e9, 1e9, 0, 0);
  for (int64_t y = 0; y < pixels.dim(0); ++y) {
    for (int64_t x = 0; x < pixels.dim(1); ++x) {
      if (pixels.at((y * pixels.dim(1) + x) * pixels.dim(2)) < 128) continue;
      found.x1 = std::min(found.x1, static_cast<double>(x));
      found.y1 = std::min(found.y1, static_cast<double>(y));
      found.x2 = std::max(found.x2, static_cast<double>(x + 1));
      found.y2 = std::max(found.y2, static_cast<double>(y + 1));
    }
  }
  return found;
}

void expect_near(const ClassBox& a, const ClassBox& b, double most) {
  EXPECT_NEAR(a.x1, b.x1, most);
  EXPECT_NEAR(a.y1, b.y1, most);
  EXPECT_NEAR(a.x2, b.x2, most);
  EXPECT_NEAR(a.y2, b.y2, most);
  EXPECT_EQ(a.label, b.label);
}

TEST(Boxes, ATransformMovesThemWithTheImage) {
  // In each result the box is around the white pixels.
  for (const char* text :
       {"flip:1", "vertical-flip:1", "crop:6", "center-crop:30", "center-crop:60",
        "random-resized-crop:0.5:1", "affine:0:0.2:0.7:1.2:0", "letterbox"}) {
    const auto step = transform(text);
    int64_t compared = 0;
    for (int64_t i = 0; i < 20; ++i) {
      TransformContext context(1, "test", 0, 20, i);
      context.height = 30;
      context.width = 40;
      Sample sample = sample_of(40, 50, {corners(12, 16, 27, 25)});
      const Array given = sample.target;
      (*step)(sample, context);
      EXPECT_EQ(boxes_of(given)[0], corners(12, 16, 27, 25)) << "a target may be shared";
      ASSERT_EQ(sample.target.shape(), (Shape{3, 5})) << text;
      const std::vector<ClassBox> boxes = boxes_of(sample.target);
      if (boxes.empty()) continue;
      ++compared;
      expect_near(boxes[0], around_white(sample.input), 1);
    }
    EXPECT_GE(compared, 10) << text;
  }
}

TEST(Boxes, ARotatedBoxIsAroundItsCorners) {
  Sample sample = sample_of(40, 40, {corners(10, 15, 30, 25)});
  warp(sample, affine_matrix({.degrees = 90}, {20, 20}), Filter::nearest);
  expect_near(boxes_of(sample.target)[0], corners(15, 10, 25, 30), 1e-5);
  warp(sample, affine_matrix({.degrees = 45}, {20, 20}), Filter::nearest);
  const double reach = (10 + 5) / std::sqrt(2.0);
  expect_near(boxes_of(sample.target)[0], corners(20 - reach, 20 - reach, 20 + reach, 20 + reach),
              1e-5);
}

TEST(Boxes, ACropClipsThemAndRemovesThoseThatAreNearlyGone) {
  ClassBox crowd = corners(0, 0, 11, 20);
  crowd.counts = false;
  Sample sample{Array::zeros(DType::u8, {20, 20, 1}),
                box_array({corners(8, 8, 13, 18), corners(1, 1, 11, 11), crowd}, 3)};
  crop(sample, 0, 10, 20, 10);  // 3/5 of the first are left, a tenth of the others
  crowd.x1 = 0;
  crowd.x2 = 1;
  EXPECT_EQ(boxes_of(sample.target), (std::vector{corners(0, 8, 3, 18), crowd}));
  EXPECT_EQ(sample.target.at(2 * 5 + 4), 0) << "the rows after the last box are 0";
}

TEST(Boxes, ALetterboxIsUndoneExactly) {
  for (const auto& [height, width] :
       {std::pair<int, int>{37, 61}, {480, 641}, {333, 100}, {9, 9}}) {
    Preprocessing p;
    p.height = 64;
    p.width = 96;
    p.channels = 1;
    p.letterbox = 114;
    p.mean = {0};
    p.std = {1};
    // Of the whole image, white on gray bars: the box is where the image is.
    Sample sample = sample_of(height, width, {corners(0, 0, width, height)});
    prepare(sample, p);
    const ClassBox in_net = boxes_of(sample.target).at(0);
    expect_near(in_net, around_white(sample.input), 1e-4);
    const PictureArea area = prepared_area(height, width, p);
    const auto back_x = [&](double x) { return x / p.width * area.width + area.left; };
    const auto back_y = [&](double y) { return y / p.height * area.height + area.top; };
    expect_near(corners(back_x(in_net.x1), back_y(in_net.y1), back_x(in_net.x2), back_y(in_net.y2)),
                corners(0, 0, width, height), 1e-4);
  }
}

TEST(Boxes, ResizedImagesOfSeveralShapesMakeBatches) {
  const auto set = std::make_shared<ArrayDataset>(
      Array::zeros(DType::u8, {2, 20, 40, 1}),
      box_array({corners(0, 0, 40, 20), corners(10, 10, 20, 20)}, 2).reshaped({2, 1, 5}),
      box_targets({"a", "b", "c"}, 1));
  Preprocessing p;
  p.height = p.width = 10;
  p.channels = 3;
  p.mean = p.std = {1, 1, 1};
  const auto small = prepared(set, p);
  EXPECT_EQ(boxes_of(small->target(0)), std::vector{corners(0, 0, 10, 10)});
  EXPECT_EQ(boxes_of(small->sample(1).target), (std::vector{corners(2.5, 5, 5, 10)}));
}

}  // namespace
}  // namespace fovea::data
