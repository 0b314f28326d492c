#include "fovea/data/boxes.h"

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/transforms/mixup.h"

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
            "boxes need images u8 or u16 [H, W, C]\n  found f32[3, 8, 10]");
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
  const ArrayDataset set(Array::zeros(DType::u8, {2, 8, 10, 3}),
                         Array::zeros(DType::f32, {2, 4, 5}), box_targets({"cat"}, 4));
  EXPECT_EQ(set.sample(1).target.shape(), (Shape{4, 5}));
  expect_error(ErrorKind::usage, "targets f32[2, 4, 5]", [] {
    ArrayDataset(Array::zeros(DType::u8, {2, 8, 10, 3}), Array::zeros(DType::f32, {2, 3, 5}),
                 box_targets({"cat"}, 4));
  });
}

TEST(Boxes, BatchesOfThemCannotBeMixed) {
  // A mean of two boxes is a box around nothing.
  expect_error(ErrorKind::usage, "mixup:0.2 needs targets that are classes or numbers",
               [] { Mixup(0.2).output(box_targets({"cat"}, 4)); });
}

}  // namespace
}  // namespace fovea::data
