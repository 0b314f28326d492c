#include "fovea/data/transforms.h"

#include <cmath>
#include <map>

#include "data/helpers.h"

namespace fovea::data {
namespace {

Bytes random_image(const ImageSize& size, Random& random) {
  Bytes image(static_cast<size_t>(size.height * size.width * size.channels));
  for (uint8_t& pixel : image) pixel = static_cast<uint8_t>(1 + random.below(255));
  return image;
}

ImageSize random_size(Random& random) {
  return {1 + static_cast<int64_t>(random.below(9)), 1 + static_cast<int64_t>(random.below(9)),
          1 + static_cast<int64_t>(random.below(4))};
}

TEST(Transforms, AShiftMovesEveryPixelAndFillsWithZeros) {
  Random random(1, "shifts");
  for (int round = 0; round < 400; ++round) {
    const ImageSize size = random_size(random);
    const Bytes before = random_image(size, random);
    const int64_t down = static_cast<int64_t>(random.below(23)) - 11;
    const int64_t right = static_cast<int64_t>(random.below(23)) - 11;
    Bytes after = before;
    shift(size, after, down, right);
    for (int64_t y = 0; y < size.height; ++y) {
      for (int64_t x = 0; x < size.width; ++x) {
        for (int64_t c = 0; c < size.channels; ++c) {
          const int64_t sy = y - down, sx = x - right;
          const bool inside = sy >= 0 && sy < size.height && sx >= 0 && sx < size.width;
          const auto at = [&](int64_t row, int64_t column) {
            return static_cast<size_t>((row * size.width + column) * size.channels + c);
          };
          ASSERT_EQ(after[at(y, x)], inside ? before[at(sy, sx)] : 0)
              << size.height << "x" << size.width << " by " << down << "," << right;
        }
      }
    }
  }
}

TEST(Transforms, AFlipMirrorsAndTwiceIsNothing) {
  Random random(2, "flips");
  for (int round = 0; round < 200; ++round) {
    const ImageSize size = random_size(random);
    const Bytes before = random_image(size, random);
    Bytes after = before;
    flip(size, after);
    for (int64_t i = 0; i < size.height * size.width; ++i) {
      const int64_t mirror = i / size.width * size.width + size.width - 1 - i % size.width;
      for (int64_t c = 0; c < size.channels; ++c) {
        ASSERT_EQ(after[static_cast<size_t>(i * size.channels + c)],
                  before[static_cast<size_t>(mirror * size.channels + c)]);
      }
    }
    flip(size, after);
    EXPECT_EQ(after, before);
  }
}

TEST(Transforms, EveryOffsetOfACropIsEquallyLikely) {
  const ImageSize size{32, 32, 1};
  const RandomCrop crop{4};
  std::map<std::pair<int64_t, int64_t>, int> counts;
  constexpr int draws = 40500;
  Bytes image(32 * 32);
  for (int i = 0; i < draws; ++i) {
    std::fill(image.begin(), image.end(), uint8_t{0});
    image[16 * 32 + 16] = 1;  // stays inside for every offset
    Random random(7, "augment", static_cast<uint64_t>(i));
    crop(size, image, random);
    const auto place = std::find(image.begin(), image.end(), 1) - image.begin();
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

TEST(Transforms, AFlipComesWithItsProbability) {
  const ImageSize size{1, 2, 1};
  for (double p : {0.0, 0.2, 0.5, 1.0}) {
    int flips = 0;
    for (uint64_t i = 0; i < 10000; ++i) {
      Bytes image{1, 2};
      Random random(5, "augment", i);
      RandomFlip{p}(size, image, random);
      flips += image[0] == 2;
    }
    EXPECT_NEAR(flips, 10000 * p, 3 * std::sqrt(10000 * p * (1 - p)));
  }
}

TEST(Transforms, TheTextOfAugmentIsReadAndWritten) {
  EXPECT_EQ(Augmentation::parse("none").text(), "none");
  EXPECT_TRUE(Augmentation::parse("none").empty());
  EXPECT_EQ(Augmentation::parse("standard").text(), "crop:4,flip:0.5");
  EXPECT_EQ(Augmentation::parse("crop").text(), "crop:4");
  EXPECT_EQ(Augmentation::parse("flip:0.25,crop:2").text(), "flip:0.25,crop:2");
  EXPECT_EQ(Augmentation::parse("flip:1").text(), "flip:1");
  for (const char* text : {"crop:0", "flip:0.1,flip:1e-05", "crop:4,flip:0.5", "none"}) {
    EXPECT_EQ(Augmentation::parse(Augmentation::parse(text).text()).text(), text);
  }
}

TEST(Transforms, WhatAugmentCannotReadItExplains) {
  const auto error = [](const char* text) {
    return error_of([&] { (void)Augmentation::parse(text); });
  };
  EXPECT_EQ(error("rotate").kind(), ErrorKind::usage);
  EXPECT_STREQ(
      error("crop,rotate:3").what(),
      "--augment: unknown augmentation \"rotate:3\"\n"
      "  known   none, standard (crop:4,flip:0.5), or a comma list of crop[:PAD], flip[:P]");
  for (const char* text :
       {"crop:", "crop:-1", "crop:4px", "crop:1.5", "crop:99999999999999999999"}) {
    EXPECT_EQ(error(text).headline(), "--augment: crop:PAD takes pixels, 0 or more, not \"" +
                                          std::string(text).substr(5) + "\"");
  }
  for (const char* text : {"flip:", "flip:1.1", "flip:-0.1", "flip:nan", "flip:half"}) {
    EXPECT_EQ(error(text).headline(), "--augment: flip:P takes a probability, 0 to 1, not \"" +
                                          std::string(text).substr(5) + "\"");
  }
  for (const char* text : {"", ",", "crop,", "Crop", " crop"}) {
    EXPECT_TRUE(error(text).headline().starts_with("--augment: unknown augmentation")) << text;
  }
  EXPECT_EQ(error("crop,none").headline(), "--augment: \"none\" stands alone, not in a list");
}

TEST(Transforms, ACropThatCouldMissTheImageIsRefused) {
  EXPECT_NO_THROW(Augmentation::parse("crop:7").check({8, 9, 3}));
  EXPECT_EQ(error_of([] {
              Augmentation::parse("crop:8").check({8, 9, 3});
            }).headline(),
            "--augment: crop:8 could miss images of 8x9");
}

}  // namespace
}  // namespace fovea::data
