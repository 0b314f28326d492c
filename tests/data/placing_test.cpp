// Transforms that place images in a frame of the net's size.

#include "data/helpers.h"
#include "error_text.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/boxes.h"
#include "fovea/data/loader.h"
#include "fovea/data/moves.h"
#include "fovea/data/prepared.h"

namespace fovea::data {
namespace {

/// Gray images of 24x32, each of one value, with a box around a white rectangle.
std::shared_ptr<const Dataset> boxed_images(int64_t count) {
  Array images(DType::u8, {count, 24, 32, 3}), boxes = Array::zeros(DType::f32, {count, 2, 5});
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t y = 0; y < 24; ++y) {
      for (int64_t x = 0; x < 32; ++x) {
        const bool inside = y >= 8 && y < 20 && x >= 4 && x < 24;
        for (int64_t c = 0; c < 3; ++c)
          images.set(((i * 24 + y) * 32 + x) * 3 + c, inside ? 255 : static_cast<double>(10 + i));
      }
    }
    const std::vector<double> box{4, 8, 24, 20, static_cast<double>(1 + i % 3)};
    for (size_t k = 0; k < box.size(); ++k) boxes.set(i * 10 + static_cast<int64_t>(k), box[k]);
  }
  return std::make_shared<ArrayDataset>(images, boxes, box_targets({"a", "b", "c"}, 2));
}

/// The share of white among the pixels of a box.
double white_share(const Array& image, const ClassBox& box) {
  double white = 0, all = 0;
  for (auto y = static_cast<int64_t>(box.y1 + 1); y < static_cast<int64_t>(box.y2 - 1); ++y) {
    for (auto x = static_cast<int64_t>(box.x1 + 1); x < static_cast<int64_t>(box.x2 - 1); ++x) {
      ++all;
      white += image.at((y * image.dim(1) + x) * image.dim(2)) > 200;
    }
  }
  return all == 0 ? 1 : white / all;
}

TransformContext context_of(int64_t i) {
  TransformContext context(1, "test", 0, 100, i);
  context.height = 48;
  context.width = 64;
  return context;
}

TEST(Placing, AScaledImageIsPlacedWithItsBoxes) {
  const auto set = boxed_images(1);
  const auto step = transform("scale-jitter:0.5:1.5:0");
  double smallest = 1e9, largest = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < 100; ++i) {
    TransformContext context = context_of(i);
    Sample sample = set->sample(0);
    (*step)(sample, context);
    ASSERT_EQ(sample.input.shape(), (Shape{48, 64, 3}));
    ASSERT_EQ(sample.target.shape(), (Shape{2, 5}));
    for (const ClassBox& box : boxes_of(sample.target)) {
      ++kept;
      EXPECT_GT(white_share(sample.input, box), 0.9);
      smallest = std::min(smallest, box.width());
      largest = std::max(largest, box.width());
    }
  }
  EXPECT_GE(kept, 95);
  EXPECT_LT(smallest, 26) << "at a scale of 1 it is 40 wide";
  EXPECT_GT(largest, 50);
}

TEST(Placing, AMosaicHasTheBoxesOfFourImages) {
  const auto set = boxed_images(20);
  const auto step = transform("mosaic");
  size_t most = 0;
  std::set<double> values;
  for (int64_t i = 0; i < 100; ++i) {
    TransformContext context = context_of(i);
    context.other = [&](Random& random) {
      return set->sample(static_cast<int64_t>(random.below(20)));
    };
    Sample sample = set->sample(0);
    (*step)(sample, context);
    ASSERT_EQ(sample.input.shape(), (Shape{48, 64, 3}));
    ASSERT_EQ(sample.target.shape(), (Shape{8, 5}));
    const std::vector<ClassBox> boxes = boxes_of(sample.target);
    most = std::max(most, boxes.size());
    for (const ClassBox& box : boxes) EXPECT_GT(white_share(sample.input, box), 0.9);
    for (int64_t p = 0; p < sample.input.numel(); p += 3) {
      if (sample.input.at(p) < 30) values.insert(sample.input.at(p));
    }
  }
  EXPECT_EQ(most, 4u);
  EXPECT_GE(values.size(), 15u) << "the backgrounds of most images of the set";
}

TEST(Placing, MasksAreInAMosaicToo) {
  Array image = Array::full(DType::u8, {24, 32, 1}, 77),
        mask = Array::full(DType::u8, {24, 32, 1}, 3);
  TransformContext context = context_of(0);
  context.other = [](Random&) {
    return Sample{Array::full(DType::u8, {10, 10, 1}, 200), Array::full(DType::u8, {10, 10, 1}, 5)};
  };
  Sample sample{image, mask};
  (*transform("mosaic"))(sample, context);
  ASSERT_EQ(sample.target.shape(), (Shape{48, 64, 1}));
  std::set<double> stored;
  for (int64_t p = 0; p < sample.target.numel(); ++p) {
    const double pixel = sample.input.at(p), value = sample.target.at(p);
    EXPECT_EQ(value, pixel == 77 ? 3 : pixel == 200 ? 5 : 0) << p;
    stored.insert(value);
  }
  EXPECT_EQ(stored, (std::set<double>{0, 3, 5}));
}

TEST(Placing, BatchesOfMosaicsHaveRoomForAllBoxes) {
  const auto set = boxed_images(12);
  LoaderOptions options{.batch = 4, .seed = 5};
  options.augment = Augmentation::parse("mosaic:0.5,flip");
  Preprocessing p;
  p.height = 20;
  p.width = 30;
  p.channels = 3;
  p.mean = p.std = {1, 1, 1};
  options.resize = std::make_shared<Resize>(p);
  const auto targets = [&](int workers) {
    options.workers = workers;
    Loader loader(set, options);
    EXPECT_EQ(loader.target(), (Type{DType::f32, {8, 5}}));
    loader.start(0);
    std::vector<std::vector<ClassBox>> all;
    while (const auto batch = loader.next()) {
      EXPECT_EQ(batch->targets.shape(), (Shape{4, 8, 5}));
      all.push_back(boxes_of(batch->targets));
    }
    return all;
  };
  EXPECT_EQ(targets(0), targets(2)) << "other samples do not depend on the workers";
}

TEST(Placing, ClassesCannotBeInAMosaic) {
  expect_error(ErrorKind::usage,
               "--augment: mosaic needs targets that lie in the image: masks or boxes\n"
               "  found   i64[]",
               [] {
                 LoaderOptions options{.augment = Augmentation::parse("mosaic")};
                 Preprocessing p;
                 p.height = p.width = 8;
                 p.channels = 3;
                 p.mean = p.std = {1, 1, 1};
                 options.resize = std::make_shared<Resize>(p);
                 Loader(random_set(4, 8, 8, 3), options);
               });
}

TEST(Placing, TheStandardTransformsSuitTheSamples) {
  EXPECT_EQ(Augmentation::standard(*boxed_images(2)), "crop:4,flip:0.5");
  EXPECT_EQ(Augmentation::standard(*random_set(4, 8, 8, 3)), "crop:4,flip:0.5");
  const ArrayDataset numbers(Array::zeros(DType::f32, {2, 3}), Array::zeros(DType::i64, {2}),
                             class_targets({"a"}));
  EXPECT_EQ(Augmentation::standard(numbers), "none");
}

}  // namespace
}  // namespace fovea::data
