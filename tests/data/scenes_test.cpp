#include "fovea/data/scenes.h"

#include <set>

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

std::vector<uint8_t> bytes_of(const Array& image) {
  const auto all = image.data<uint8_t>();
  return {all.begin(), all.end()};
}

/// Bright squares of two classes.
std::shared_ptr<const Dataset> two_squares() {
  return std::make_shared<ArrayDataset>(
      Array::full(DType::u8, {10, 20, 20, 1}, 200),
      Array::of(std::vector<int64_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}),
      class_targets({"coat", "bag"}));
}

TEST(Scenes, MasksAndBoxesShowWhatIsInTheImage) {
  const Scenes scenes(two_squares(), 50, 1);
  EXPECT_EQ(scenes.targets().names, (std::vector<std::string>{"background", "coat", "bag"}));
  std::set<int> classes;
  for (int64_t i = 0; i < scenes.size(); ++i) {
    const Sample sample = scenes.sample(i);
    ASSERT_EQ(sample.input.shape(), (Shape{64, 64, 1}));
    ASSERT_EQ(sample.target.shape(), (Shape{64, 64, 1}));
    for (int64_t p = 0; p < 64 * 64; ++p) {
      const double value = sample.target.at(p);
      classes.insert(static_cast<int>(value));
      ASSERT_EQ(value > 1, sample.input.at(p) == 200);
    }
    const std::vector<ClassBox> boxes = scenes.boxes(i);
    ASSERT_GE(boxes.size(), 1u);
    ASSERT_LE(boxes.size(), 4u);
    for (const ClassBox& box : boxes) {
      ASSERT_GE(std::min(box.x1, box.y1), 0);
      ASSERT_LE(std::max(box.x2, box.y2), 64);
    }
    // The last is on top: its box is full of its class.
    const ClassBox& last = boxes.back();
    ASSERT_GE(last.width(), 14);
    for (auto y = static_cast<int64_t>(last.y1); y < static_cast<int64_t>(last.y2); ++y) {
      for (auto x = static_cast<int64_t>(last.x1); x < static_cast<int64_t>(last.x2); ++x)
        ASSERT_EQ(sample.target.at(y * 64 + x), static_cast<double>(last.label + 2));
    }
  }
  EXPECT_EQ(classes, (std::set<int>{1, 2, 3}));
}

TEST(Scenes, TheSameScenesHaveBoxes) {
  const Scenes masks(two_squares(), 20, 1), boxes(two_squares(), 20, 1, Scenes::Kind::boxes);
  EXPECT_EQ(boxes.targets(), box_targets({"coat", "bag"}, 4));
  for (int64_t i = 0; i < boxes.size(); ++i) {
    const Sample sample = boxes.sample(i);
    EXPECT_EQ(bytes_of(sample.input), bytes_of(masks.sample(i).input));
    EXPECT_EQ(sample.target.shape(), (Shape{4, 5}));
    EXPECT_EQ(boxes_of(sample.target), masks.boxes(i));
  }
}

TEST(Scenes, DependOnSeedAndIndexAlone) {
  const Scenes scenes(two_squares(), 50, 1), same(two_squares(), 10, 1),
      other(two_squares(), 50, 2);
  EXPECT_EQ(bytes_of(scenes.sample(7).input), bytes_of(same.sample(7).input));
  EXPECT_NE(bytes_of(scenes.sample(7).input), bytes_of(other.sample(7).input));
  EXPECT_NE(bytes_of(scenes.sample(7).input), bytes_of(scenes.sample(8).input));
}

TEST(Scenes, OtherPicturesAreRefused) {
  const auto large =
      std::make_shared<ArrayDataset>(Array::zeros(DType::u8, {1, 46, 20, 1}),
                                     Array::of(std::vector<int64_t>{0}), class_targets({"coat"}));
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { Scenes(large, 1, 1); }),
            "scenes are made of small gray pictures with classes, u8 [H, W, 1]\n"
            "  found   u8[46, 20, 1]\n"
            "  try     --data scenes:fashion-mnist, scenes:mnist or scenes:kmnist");
}

TEST(Scenes, AsManyAsAreAskedForAndTheFirstStayTheSame) {
  const DataSets three = open("scenes:fashion-mnist,count=3"), all = open("scenes:fashion-mnist");
  EXPECT_EQ(three.train->size(), 3);
  EXPECT_EQ(all.train->size(), 40'000);
  EXPECT_EQ(three.test->size(), all.test->size());
  EXPECT_EQ(bytes_of(three.train->sample(2).input), bytes_of(all.train->sample(2).input));
  EXPECT_EQ(error_text(ErrorKind::usage, [] { open("scenes:fashion-mnist,count=0"); }),
            "data set scenes: count must be an integer from 1 to 10000000, not \"0\"\n"
            "  known   count\n"
            "  try     --data scenes:DATA,count=40000");
}

}  // namespace
}  // namespace fovea::data
