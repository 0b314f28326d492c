// What holds for every row of the table of transforms, and what the random ones draw.

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "data/helpers.h"
#include "fovea/data/augmentation.h"
#include "fovea/data/transforms/cutmix.h"

namespace fovea::data {
namespace {

Array random_image(const Shape& shape) {
  Array image(DType::u8, shape);
  Random random(3, "images");
  for (uint8_t& pixel : image.data<uint8_t>()) pixel = static_cast<uint8_t>(random.below(256));
  return image;
}

/// The image as sample `i` of 10000 sees it.
Array transformed(const Transform& step, const Array& image, int64_t i) {
  Sample sample{image.clone(), {}};
  TransformContext context(1, "rows", 0, 10000, i);
  context.height = 6;
  context.width = 10;
  step(sample, context);
  return sample.input;
}

TEST(TransformRows, EachWorksOnImagesOfAnySizeGrayOrColoured) {
  int rows = 0;
  for (const TransformEntry& row : transforms()) {
    if (row.example.empty() || row.numbers) continue;  // of other tests
    ++rows;
    const AnyTransform made = make_transform(parse_choice(row.example));
    const auto* step = std::get_if<std::shared_ptr<const Transform>>(&made);
    if (step == nullptr) continue;
    EXPECT_EQ(transform((*step)->text())->text(), (*step)->text());
    for (const int64_t channels : {1, 3}) {
      for (const Shape& size : {Shape{1, 1}, Shape{1, 3000}, Shape{900, 2}, Shape{7, 9}}) {
        const Shape shape = size.concat({channels});
        if (!row.example.starts_with("crop")) (void)(*step)->output({DType::u8, shape});
        for (int64_t i = 0; i < 20; ++i) {
          const Array image = transformed(**step, random_image(shape), i);
          ASSERT_EQ(image.dtype(), DType::u8);
          ASSERT_EQ(image.shape().rank(), 3) << row.example;
          ASSERT_EQ(image.dim(2), channels) << row.example;
          if (!(*step)->frames()) {
            ASSERT_EQ(image.shape(), shape) << row.example;
          }
        }
      }
    }
    EXPECT_EQ(error_of([&] {
                (void)(*step)->output({DType::f32, {3, 8}});
              }).kind(),
              ErrorKind::usage)
        << row.example;
  }
  EXPECT_GE(rows, 24);
}

TEST(TransformRows, EachGivesTheSameForTheSameSampleAndOthersForOthers) {
  for (const TransformEntry& row : transforms()) {
    const std::string& name = row.choice.name;
    if (row.example.empty() || row.numbers || name == "mixup" || name == "cutmix" ||
        name == "noise") {
      continue;
    }
    const auto step = transform(row.example);
    const Array image = random_image({32, 32, 3});
    std::set<Bytes> seen;
    for (int64_t i = 0; i < 12; ++i) {
      const Array a = transformed(*step, image, i), b = transformed(*step, image, i);
      const auto bytes = a.data<uint8_t>(), again = b.data<uint8_t>();
      ASSERT_TRUE(std::ranges::equal(bytes, again)) << name;
      seen.insert({bytes.begin(), bytes.end()});
    }
    const bool fixed = name == "center-crop" || name == "letterbox" ||
                       row.example.ends_with(":1");  // certain, and without another parameter
    EXPECT_TRUE(seen.size() > 1 || fixed) << row.example;
  }
}

TEST(TransformRows, ProbabilitiesAreKept) {
  const Array image = random_image({2, 2, 3});
  for (const std::string name :
       {"flip:", "vertical-flip:", "invert:", "grayscale:", "solarize:0:", "posterize:0:"}) {
    for (const double p : {0.0, 0.2, 0.5, 1.0}) {
      const auto step = transform(name + std::to_string(p));
      int changed = 0;
      for (int64_t i = 0; i < 10000; ++i) {
        const Array result = transformed(*step, image, i);
        changed += !std::ranges::equal(result.data<uint8_t>(), image.data<uint8_t>());
      }
      EXPECT_NEAR(changed, 10000 * p, 3 * std::sqrt(10000 * p * (1 - p))) << name << p;
    }
  }
}

TEST(TransformRows, WhatIsErasedHasTheSizeThatWasAskedFor) {
  const Array white = Array::full(DType::u8, {40, 50, 1}, 255);
  const auto erased = [&](const char* text, int64_t i) {
    const Array image = transformed(*transform(text), white, i);
    return std::ranges::count(image.data<uint8_t>(), 0);
  };
  double sum = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    const auto pixels = static_cast<double>(erased("erasing:1:0.1:0.3", i));
    ASSERT_GE(pixels, 200 * 0.9);
    ASSERT_LE(pixels, 600 * 1.1);
    sum += pixels;
    const auto square = erased("cutout:8", i);
    ASSERT_GE(square, 16);  // at least the quarter around the centre
    ASSERT_LE(square, 64);
  }
  EXPECT_NEAR(sum / 2000, 400, 15);
  const Array noisy = transformed(*transform("erasing:1:0.9:1:1:1:random"),
                                  Array::zeros(DType::u8, {64, 64, 1}), 0);
  double mean = 0;
  for (const uint8_t value : noisy.data<uint8_t>()) mean += value / 4096.0;
  EXPECT_GT(mean, 127 * 0.85);
  EXPECT_LT(mean, 135);
}

TEST(TransformRows, ALetterboxKeepsProportionsAndFillsTheRest) {
  const Array image =
      transformed(*transform("letterbox:9"), Array::full(DType::u8, {20, 10, 1}, 200), 0);
  ASSERT_EQ(image.shape(), (Shape{6, 10, 1}));
  for (int64_t y = 0; y < 6; ++y) {
    for (int64_t x = 0; x < 10; ++x) {
      ASSERT_EQ(image.at(y * 10 + x), x >= 3 && x < 6 ? 200 : 9) << y << "," << x;
    }
  }
}

TEST(TransformRows, ArgumentsThatMakeNoSenseAreRefused) {
  const auto headline = [](const std::string& text) {
    return error_of([&] { (void)Augmentation::parse(text); }).headline();
  };
  EXPECT_EQ(headline("gaussian-blur:4"),
            "--augment: transform gaussian-blur: size must be an odd number, not 4");
  EXPECT_EQ(headline("affine:10:0:2:1"),
            "--augment: transform affine: min_scale is 2, above max_scale, 1");
  EXPECT_EQ(headline("erasing:0.5:0.4:0.2"),
            "--augment: transform erasing: min_scale is 0.4, above max_scale, 0.2");
  EXPECT_EQ(headline("crop:4:mirror"),
            "--augment: transform crop: mode must be \"zeros\", \"reflect\" or \"edge\", not "
            "\"mirror\"");
  for (const char* text : {"rotation",
                           "rotation:181",
                           "affine:10:1.5",
                           "affine:10:0:0",
                           "affine:10:0:1:1:90",
                           "perspective:1",
                           "color-jitter:-0.1",
                           "color-jitter:0:0:0:0.6",
                           "color-jitter:inf",
                           "posterize:9",
                           "posterize:-1",
                           "solarize:257",
                           "sharpness:-1",
                           "gaussian-blur:0",
                           "gaussian-blur:3:0",
                           "erasing:2",
                           "erasing:1:0",
                           "erasing:1:0.1:0.2:1:1:256",
                           "cutout:0",
                           "randaugment:2:31",
                           "randaugment:-1",
                           "trivialaugment:cubic",
                           "letterbox:256",
                           "center-crop:0",
                           "random-resized-crop:0",
                           "cutmix:0",
                           "cutmix:2",
                           "grayscale:1.5"}) {
    EXPECT_EQ(error_of([&] { (void)Augmentation::parse(text); }).kind(), ErrorKind::usage) << text;
  }
  EXPECT_EQ(error_of([] {
              (void)output(Augmentation::parse("color-jitter:0.4").after, {DType::u8, {8, 8, 2}});
            }).headline(),
            "--augment: color-jitter:0.4 is for images of 1 or 3 channels");
}

TEST(TransformRows, ListsReadAsTheyDoInTorchvision) {
  const Augmentation list =
      Augmentation::parse("random-resized-crop,flip,color-jitter:0.4:0.4:0.4,erasing:0.25");
  EXPECT_EQ(list.text(), "random-resized-crop,flip:0.5,color-jitter:0.4:0.4:0.4,erasing:0.25");
  EXPECT_EQ(list.before.size(), 1u);
  EXPECT_EQ(list.after.size(), 3u);
}

TEST(TransformRows, CutMixTargetsAreTheSharesOfPixels) {
  const CutMix cutmix(1);
  const Targets classes = class_targets({"a", "b", "c", "d"});
  EXPECT_EQ(cutmix.output(classes).type, (Type{DType::f32, {4}}));
  Array images(DType::f32, {4, 3, 8, 12});
  for (int64_t i = 0; i < images.numel(); ++i) images.set(i, static_cast<double>(i / 288));
  double sum = 0;
  constexpr int draws = 100;
  for (uint64_t round = 0; round < draws; ++round) {
    const Batch batch = mixed(cutmix, {images, Array::of<int64_t>({0, 1, 2, 3})}, classes, round);
    ASSERT_EQ(batch.targets.shape(), (Shape{4, 4}));
    for (int64_t i = 0; i < 4; ++i) {
      double all = 0;
      for (int64_t k = 0; k < 4; ++k) {
        const auto pixels = batch.inputs.data<float>().subspan(static_cast<size_t>(i) * 288, 288);
        const double share = static_cast<double>(std::ranges::count(pixels, k)) / 288;
        ASSERT_NEAR(batch.targets.at(i * 4 + k), share, 1e-6);
        all += batch.targets.at(i * 4 + k);
      }
      ASSERT_NEAR(all, 1, 1e-6);
      sum += batch.targets.at(i * 4 + i) / 4;
    }
  }
  // Half of the pixels are replaced on average, less what the border cuts off.
  EXPECT_GT(sum / draws, 0.5);
  EXPECT_LT(sum / draws, 0.8);
}

TEST(TransformRows, CutMixTakesNumbersOfOneToThreeAxes) {
  const CutMix cutmix(1);
  const Targets numbers{.type = {DType::f32, {1}}, .names = {"x"}};
  for (const Shape& shape : {Shape{2, 40}, Shape{2, 9, 10}, Shape{2, 5, 6, 7}}) {
    cutmix.check_input({DType::f32, shape});
    Array inputs = Array::zeros(DType::f32, Shape{2}.concat(shape));
    for (int64_t i = inputs.numel() / 2; i < inputs.numel(); ++i) inputs.set(i, 1);
    int replaced = 0;
    for (uint64_t round = 0; round < 20; ++round) {
      const Batch batch = mixed(cutmix, {inputs, Array::of<float>({0, 1}, {2, 1})}, numbers, round);
      double mean = 0;
      for (int64_t i = 0; i < inputs.numel() / 2; ++i) mean += batch.inputs.at(i);
      mean /= static_cast<double>(inputs.numel() / 2);
      ASSERT_NEAR(batch.targets.at(0), mean, 1e-6);
      replaced += mean > 0;
    }
    EXPECT_GT(replaced, 8);
  }
  EXPECT_EQ(error_of([&] {
              cutmix.check_input({DType::f32, {5}});
            }).headline(),
            "cutmix:1 needs inputs with spatial axes");
  EXPECT_THROW((void)cutmix.output({.type = {DType::i64, {4, 4}}, .names = {}}), Error);
}

}  // namespace
}  // namespace fovea::data
