#include "fovea/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "data/helpers.h"
#include "fovea/data/loader.h"
#include "fovea/data/prepared.h"
#include "fovea/data/transforms/box.h"
#include "fovea/data/transforms/crop.h"
#include "fovea/data/transforms/flip.h"
#include "fovea/data/transforms/mixup.h"

namespace fovea::data {
namespace {

Array random_image(const Shape& shape, Random& random) {
  Array image(DType::u8, shape);
  for (uint8_t& pixel : image.data<uint8_t>()) pixel = static_cast<uint8_t>(1 + random.below(255));
  return image;
}

Shape random_shape(Random& random) {
  return {1 + static_cast<int64_t>(random.below(9)), 1 + static_cast<int64_t>(random.below(9)),
          1 + static_cast<int64_t>(random.below(4))};
}

TEST(Transforms, ACropMovesEveryPixelAndFillsWithZeros) {
  Random random(1, "shifts");
  for (int round = 0; round < 400; ++round) {
    const Array before = random_image(random_shape(random), random);
    const int64_t height = before.dim(0), width = before.dim(1), channels = before.dim(2);
    const int64_t down = static_cast<int64_t>(random.below(23)) - 11;
    const int64_t right = static_cast<int64_t>(random.below(23)) - 11;
    const Array after = crop(before, -down, -right, height, width);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t sy = y - down, sx = x - right;
          const bool inside = sy >= 0 && sy < height && sx >= 0 && sx < width;
          const auto at = [&](int64_t row, int64_t column) {
            return (row * width + column) * channels + c;
          };
          ASSERT_EQ(after.at(at(y, x)), inside ? before.at(at(sy, sx)) : 0)
              << describe(before) << " by " << down << "," << right;
        }
      }
    }
  }
}

TEST(Transforms, AFlipMirrorsAndTwiceIsTheIdentity) {
  Random random(2, "flips");
  for (int round = 0; round < 200; ++round) {
    const Array before = random_image(random_shape(random), random);
    const int64_t width = before.dim(1), channels = before.dim(2);
    Array after = before.clone();
    flip(after);
    for (int64_t i = 0; i < before.dim(0) * width; ++i) {
      const int64_t mirror = i / width * width + width - 1 - i % width;
      for (int64_t c = 0; c < channels; ++c) {
        ASSERT_EQ(after.at(i * channels + c), before.at(mirror * channels + c));
      }
    }
    flip(after);
    for (int64_t i = 0; i < before.numel(); ++i) ASSERT_EQ(after.at(i), before.at(i));
  }
}

TEST(Transforms, EveryOffsetOfACropIsEquallyLikely) {
  const RandomCrop random_crop{4};
  std::map<std::pair<int64_t, int64_t>, int> counts;
  constexpr int draws = 40500;
  Array image = Array::zeros(DType::u8, {32, 32, 1});
  image.set(16 * 32 + 16, 1);  // stays inside for every offset
  for (int i = 0; i < draws; ++i) {
    TransformContext context(7, "augment", 0, draws, i);
    Sample sample{image, {}};
    random_crop(sample, context);
    const std::span<const uint8_t> pixels = sample.input.data<uint8_t>();
    const auto place = std::find(pixels.begin(), pixels.end(), 1) - pixels.begin();
    ++counts[{place / 32 - 16, place % 32 - 16}];
  }
  ASSERT_EQ(counts.size(), 81u);
  EXPECT_EQ(counts.begin()->first, (std::pair<int64_t, int64_t>{-4, -4}));
  EXPECT_EQ(counts.rbegin()->first, (std::pair<int64_t, int64_t>{4, 4}));
  double chi_square = 0;
  for (const auto& [offset, count] : counts) chi_square += (count - 500.0) * (count - 500.0) / 500;
  EXPECT_LT(chi_square, 80 + 4 * std::sqrt(2.0 * 80));  // 80 degrees of freedom, four sigma
  EXPECT_GT(chi_square, 80 - 4 * std::sqrt(2.0 * 80));
}

TEST(Transforms, ACropMirrorsOrRepeatsTheBorderHoweverFar) {
  const Array row = Array::of(std::vector<uint8_t>{1, 2, 3}, {1, 3, 1});
  const auto seen = [&](const Array& image, PaddingMode mode) {
    const Array all = crop(image, 0, -4, 1, image.dim(1) + 8, mode);
    std::vector<int> values;
    for (int64_t i = 0; i < all.numel(); ++i) values.push_back(static_cast<int>(all.at(i)));
    return values;
  };
  EXPECT_EQ(seen(row, PaddingMode::zeros), (std::vector<int>{0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0}));
  EXPECT_EQ(seen(row, PaddingMode::edge), (std::vector<int>{1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3}));
  EXPECT_EQ(seen(row, PaddingMode::reflect), (std::vector<int>{1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}));
  const Array dot = Array::of(std::vector<uint8_t>{7}, {1, 1, 1});
  EXPECT_EQ(seen(dot, PaddingMode::reflect), std::vector<int>(9, 7));
}

TEST(Transforms, AnAlternatingFlipShowsEachImageBothWaysInTwoEpochs) {
  int flipped_first = 0;
  for (int64_t i = 0; i < 10000; ++i) {
    bool flipped[4];
    for (int64_t epoch = 0; epoch < 4; ++epoch) {
      Sample sample{Array::of(std::vector<uint8_t>{1, 2}, {1, 2, 1}), {}};
      TransformContext context(5, "augment", epoch, 10000, i);
      AlternatingFlip{}(sample, context);
      flipped[epoch] = sample.input.at(0) == 2;
    }
    flipped_first += flipped[0];
    ASSERT_NE(flipped[0], flipped[1]);
    ASSERT_EQ(flipped[0], flipped[2]);
    ASSERT_EQ(flipped[1], flipped[3]);
  }
  EXPECT_NEAR(flipped_first, 5000, 3 * 50);
}

TEST(Transforms, ARandomCropsBoxHasTheAreaAndRatioThatWereAskedFor) {
  constexpr int draws = 10000;
  double area_sum = 0, ratio_sum = 0;
  for (uint64_t i = 0; i < draws; ++i) {
    Random random(1, "boxes", i);
    const Box box = random_crop_box(500, 500, {0.08, 0.5}, {0.75, 4.0 / 3}, random);
    const auto height = static_cast<double>(box.height), width = static_cast<double>(box.width);
    const double area = height * width / 250000;
    ASSERT_GE(area, 0.08 * 0.99);  // sides are rounded to pixels
    ASSERT_LE(area, 0.5 * 1.01);
    ASSERT_GE((width + 0.5) / (height - 0.5), 0.75);
    ASSERT_LE((width - 0.5) / (height + 0.5), 4.0 / 3);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, 500);
    ASSERT_LE(box.left + box.width, 500);
    area_sum += area;
    ratio_sum += std::log(width / height);
  }
  // Uniform: the deviation of the mean is the range / sqrt(12 draws).
  EXPECT_NEAR(area_sum / draws, 0.29, 3 * 0.42 / std::sqrt(12.0 * draws));
  EXPECT_NEAR(ratio_sum / draws, 0, 3 * 2 * std::log(4.0 / 3) / std::sqrt(12.0 * draws));
}

TEST(Transforms, WhereNoBoxFitsTheMiddleIsTaken) {
  for (const auto& [height, width, wanted] :
       {std::tuple{int64_t{4}, int64_t{4000}, Box{0, 1997, 4, 5}},
        std::tuple{int64_t{4000}, int64_t{3}, Box{1998, 0, 4, 3}},
        std::tuple{int64_t{1}, int64_t{1}, Box{0, 0, 1, 1}}}) {
    Random random(2, "boxes");
    const Box box = random_crop_box(height, width, {0.9, 1}, {0.75, 4.0 / 3}, random);
    EXPECT_EQ(box.top, wanted.top);
    EXPECT_EQ(box.left, wanted.left);
    EXPECT_EQ(box.height, wanted.height);
    EXPECT_EQ(box.width, wanted.width);
  }
}

TEST(Transforms, ARandomResizedCropIsScaledToTheNetsSize) {
  const Augmentation list = Augmentation::parse("random-resized-crop,flip");
  EXPECT_EQ(list.before.size(), 1u);
  EXPECT_EQ(list.after.size(), 1u);
  EXPECT_TRUE(list.frames());
  EXPECT_EQ(list.text(), "random-resized-crop,flip:0.5");
  EXPECT_EQ(Augmentation::parse("random-resized-crop,flip,resize,flip").text(),
            "random-resized-crop,flip:0.5,resize,flip:0.5");
  EXPECT_EQ(Augmentation::parse("standard", "none").text(), "none");
  EXPECT_EQ(error_of([] { (void)Augmentation::parse("resize,random-resized-crop"); }).headline(),
            "--augment: \"random-resized-crop\" stands before \"resize\"");
  EXPECT_EQ(error_of([] { (void)Augmentation::parse("random-resized-crop:0.5:0.2"); }).headline(),
            "--augment: transform random-resized-crop: min_scale is 0.5, above max_scale, 0.2");

  const auto set = random_set(8, 20, 30, 3);
  const auto resize = std::make_shared<Resize>(Preprocessing{
      .height = 8, .width = 9, .channels = 3, .resize = {}, .mean = {0, 0, 0}, .std = {1, 1, 1}});
  Loader loader(set, {.batch = 8, .augment = list, .resize = resize});
  EXPECT_EQ(loader.input(), (Type{DType::u8, {8, 9, 3}}));
  loader.start(0);
  EXPECT_EQ(loader.next()->inputs.shape(), (Shape{8, 8, 9, 3}));
  EXPECT_EQ(
      error_of([&] { Loader(set, {.batch = 8, .augment = list}); }).headline(),
      "--augment: random-resized-crop,flip:0.5 outputs images of any size, but nothing resizes "
      "them");
}

TEST(Transforms, AFlipHappensWithItsProbability) {
  for (double p : {0.0, 0.2, 0.5, 1.0}) {
    int flips = 0;
    for (int64_t i = 0; i < 10000; ++i) {
      Sample sample{Array::of(std::vector<uint8_t>{1, 2}, {1, 2, 1}), {}};
      TransformContext context(5, "augment", 0, 10000, i);
      RandomFlip{p}(sample, context);
      flips += sample.input.at(0) == 2;
    }
    EXPECT_NEAR(flips, 10000 * p, 3 * std::sqrt(10000 * p * (1 - p)));
  }
}

TEST(Transforms, MixupAddsTheSampleBeforeInInputAndTarget) {
  const Mixup mixup(0.4);
  const Targets classes = class_targets({"a", "b", "c"});
  EXPECT_EQ(mixup.output(classes).type, (Type{DType::f32, {3}}));
  const float values[] = {10, 20, 30, 40};
  const std::vector<int64_t> labels{0, 1, 2, 1};
  for (uint64_t step = 0; step < 5; ++step) {
    const Batch batch = mixed(
        mixup, {Array::of<float>({10, 20, 30, 40}, {4, 1}), Array::of(labels)}, classes, step);
    Random random(3, "mix", step);
    const auto share = static_cast<float>(mixup.draw({4, 1}, random)[0].item());
    ASSERT_EQ(batch.targets.shape(), (Shape{4, 3}));
    for (size_t i = 0; i < 4; ++i) {
      const size_t before = (i + 3) % 4;
      EXPECT_EQ(batch.inputs.data<float>()[i], share * values[i] + (1 - share) * values[before]);
      for (size_t k = 0; k < 3; ++k) {
        const auto one_hot = [&](size_t j) { return std::cmp_equal(labels[j], k) ? 1.f : 0.f; };
        EXPECT_EQ(batch.targets.data<float>()[i * 3 + k],
                  share * one_hot(i) + (1 - share) * one_hot(before));
      }
    }
  }
  EXPECT_THROW((void)mixup.output({.type = {DType::i64, {4, 4}}, .names = {}}), Error);
}

TEST(Transforms, TheTextOfAugmentIsReadAndWritten) {
  EXPECT_EQ(Augmentation::parse("none").text(), "none");
  EXPECT_TRUE(Augmentation::parse("none").empty());
  EXPECT_EQ(Augmentation::parse("standard").text(), "crop:4,flip:0.5");
  EXPECT_EQ(Augmentation::parse("crop").text(), "crop:4");
  EXPECT_EQ(Augmentation::parse("flip:0.25,crop:2").text(), "flip:0.25,crop:2");
  EXPECT_EQ(Augmentation::parse("flip:1").text(), "flip:1");
  EXPECT_EQ(Augmentation::parse("crop:padding=2,flip:p=0.1").text(), "crop:2,flip:0.1");
  for (const char* text : {"crop:0", "flip:0.1,flip:1e-05", "crop:4,flip:0.5", "none"}) {
    EXPECT_EQ(Augmentation::parse(Augmentation::parse(text).text()).text(), text);
  }
}

TEST(Transforms, AugmentExplainsWhatItCannotRead) {
  const auto error = [](const std::string& text) {
    return error_of([&] { (void)Augmentation::parse(text); });
  };
  EXPECT_EQ(error("rotate").kind(), ErrorKind::usage);
  std::string all;
  for (const TransformEntry& row : transforms()) all += row.choice.name + ", ";
  EXPECT_EQ(error("crop,mixap:3").what(),
            "--augment: unknown transform \"mixap\"\n"
            "  nearest mixup\n"
            "  known   " +
                all + "none, standard, resize");
  for (const char* padding : {"", "-1", "4px", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(error("crop:" + std::string(padding)).what(),
              "--augment: transform crop: padding must be an integer from 0 to 1048576, not \"" +
                  std::string(padding) + "\"\n  usage   crop[:PADDING[:MODE]]");
  }
  for (const char* p : {"", "1.1", "-0.1", "nan", "half"}) {
    EXPECT_EQ(error("flip:" + std::string(p)).headline(),
              "--augment: transform flip: p must be a number from 0 to 1 or \"alternate\", not \"" +
                  std::string(p) + "\"");
  }
  for (const char* text : {"", ",", "crop,", "Crop", " crop"}) {
    EXPECT_TRUE(error(text).headline().starts_with("--augment: unknown transform")) << text;
  }
  EXPECT_EQ(error("crop,none").headline(), "--augment: \"none\" cannot be part of a list");
  EXPECT_EQ(error("resize:3").headline(), "--augment: transform resize takes no arguments, not 1");
  EXPECT_TRUE(Augmentation::usage().starts_with(
      "none, standard (crop:4,flip:0.5; where images differ in size "
      "random-resized-crop,flip:0.5, with boxes scale-jitter,flip:0.5, of clips crop:4), or a "
      "comma-separated list of resize, crop, center-crop, "))
      << Augmentation::usage();
}

TEST(Transforms, ACropThatCouldMissTheImageIsRefused) {
  const auto made_of = [](const char* text, const Type& input) {
    return output(Augmentation::parse(text).after, input);
  };
  const Type image{DType::u8, {8, 9, 3}};
  EXPECT_EQ(made_of("crop:7", image), image);
  EXPECT_EQ(error_of([&] { (void)made_of("crop:8", image); }).headline(),
            "--augment: crop:8 could miss images of 8x9");
  EXPECT_STREQ(error_of([&] {
                 (void)made_of("flip", {DType::f32, {3, 100}});
               }).what(),
               "--augment: flip:0.5 needs images u8 or u16 [H, W, C]\n"
               "  found   f32[3, 100]\n"
               "  try     --augment none, or one of those that mix batches");
}

TEST(Transforms, ResizeInTheListSaysWhereImagesAreResized) {
  const Augmentation list = Augmentation::parse("crop:2,resize,flip:1,mixup:0.5");
  EXPECT_EQ(list.before.size(), 1u);
  EXPECT_EQ(list.after.size(), 1u);
  EXPECT_EQ(list.batch.size(), 1u);
  EXPECT_EQ(list.text(), "crop:2,resize,flip:1,mixup:0.5");
  EXPECT_EQ(Augmentation::parse("resize").text(), "none");
  EXPECT_EQ(error_of([] { (void)Augmentation::parse("resize,flip,resize"); }).headline(),
            "--augment: \"resize\" may occur only once");
}

/// A transform from outside that uses image and target and changes the size: keeps the half of an
/// image that its class selects.
class Half : public Transform {
 public:
  std::string text() const override { return "half"; }
  Type output(const Type& input) const override {
    return {DType::u8, {input.shape[0] / 2, input.shape[1], input.shape[2]}};
  }
  void operator()(Sample& sample, TransformContext& context) const override {
    const auto which = static_cast<int64_t>(context.random.below(2));
    const Array original = sample.input;
    sample.input = Array(DType::u8, output({original.dtype(), original.shape()}).shape);
    for (int64_t i = 0; i < sample.input.numel(); ++i)
      sample.input.set(i, original.at(which * sample.input.numel() + i));
    sample.target.set(0, static_cast<double>(which));
  }
};

TEST(Transforms, OneFromOutsideChangesImageAndTargetAtAnyPlace) {
  add_transform({.choice = {.name = "half", .help = "takes a half"},
                 .make = [](const Arguments&) { return AnyTransform(std::make_shared<Half>()); }});
  for (const char* taken : {"half", "crop", "none", "standard", "resize"}) {
    EXPECT_THROW(add_transform({.choice = {.name = taken}, .make = nullptr}), Error) << taken;
  }
  Array images(DType::u8, {40, 4, 2, 1});
  for (int64_t i = 0; i < images.numel(); ++i) images.set(i, i / 4 % 2 == 0 ? 10 : 200);
  const auto set = std::make_shared<ArrayDataset>(images, Array::zeros(DType::i64, {40}),
                                                  class_targets({"upper", "lower"}));
  for (const char* text : {"half,flip", "half,resize,flip"}) {
    Loader loader(set, {.batch = 8, .augment = Augmentation::parse(text)});
    EXPECT_EQ(loader.input(), (Type{DType::u8, {2, 2, 1}}));
    loader.start(0);
    int lower = 0;
    while (auto batch = loader.next()) {
      EXPECT_EQ(batch->inputs.shape(), (Shape{8, 2, 2, 1}));
      for (int64_t k = 0; k < 8; ++k) {
        EXPECT_EQ(batch->inputs.at(k * 4), batch->targets.at(k) == 1 ? 200 : 10);
        lower += batch->targets.at(k) == 1;
      }
    }
    EXPECT_GT(lower, 8);
    EXPECT_LT(lower, 32);
  }
  EXPECT_EQ(class_of(*set, 3), 0);  // the data set itself is not modified
}

TEST(Transforms, AugmentedBytesStayTheSame) {
  // A run that is resumed, or repeated years later, sees the same images.
  Loader loader(random_set(64, 12, 10, 3), {.batch = 64,
                                            .sampling = Sampling::shuffled,
                                            .seed = 5,
                                            .augment = Augmentation::parse("standard")});
  loader.start(3);
  const Batch batch = *loader.next();
  const auto bytes = batch.inputs.data<uint8_t>();
  EXPECT_EQ(hash({reinterpret_cast<const char*>(bytes.data()), bytes.size()}),
            3553695056236973553u);
}

}  // namespace
}  // namespace fovea::data
