#include "fovea/data/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>

#include "fovea/core/random.h"
#include "fovea/data/near_duplicates.h"
#include "fovea/data/registry.h"
#include "fovea/images/codec.h"
#include "fovea/images/resize.h"
#include "temporary_folder.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

/// A picture of a few smooth waves, as unlike others as photographs are.
Image waves(uint64_t seed, int height = 48, int width = 48) {
  Random random(seed, "waves");
  Image image = Image::black(height, width, 3);
  double f[3][4];
  for (auto& channel : f) {
    for (double& x : channel) x = 1 + 5 * random.uniform();
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double v = std::sin(f[c][0] * y / height * 3 + f[c][2]) +
                         std::cos(f[c][1] * x / width * 3 + f[c][3]);
        image.at(y, x)[c] = static_cast<uint8_t>(127 + 60 * v);
      }
    }
  }
  return image;
}

class DataCheck : public testing::Test {
 protected:
  void write(const std::string& name, const Image& image) {
    fs::create_directories((folder_ / name).parent_path());
    encode_png(folder_ / name, image);
  }
  DataSets open() { return data::open("folder:" + (folder_ / "").string()); }
  /// Two classes with different pictures in train and test.
  void write_healthy() {
    for (uint64_t i = 0; i < 6; ++i) {
      const std::string number = std::to_string(i) + ".png";
      write("train/a/" + number, waves(i));
      write("train/b/" + number, waves(100 + i));
      write("test/a/" + number, waves(200 + i));
      write("test/b/" + number, waves(300 + i));
    }
  }
  TemporaryFolder folder_;
};

TEST_F(DataCheck, FindsNothingInHealthyData) {
  write_healthy();
  const Report report = check(open());
  EXPECT_TRUE(report.broken.empty());
  EXPECT_TRUE(report.wrong_suffix.empty());
  EXPECT_TRUE(report.duplicates.empty());
  EXPECT_TRUE(report.odd_sizes.empty());
  EXPECT_EQ(report.imbalance(), 1.0);
  EXPECT_EQ(report.classes[1].first, "b");
  EXPECT_EQ(report.classes[1].second.at("train"), 6);
}

TEST_F(DataCheck, StatisticsAreThoseOfTheTrainingImages) {
  write_healthy();
  const DataSets sets = open();
  const Report report = check(sets);
  const ChannelStats expected = channel_stats(*sets.train);
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(report.statistics->mean[c], expected.mean[c], 1e-9);
    EXPECT_NEAR(report.statistics->std[c], expected.std[c], 1e-9);
  }
}

TEST_F(DataCheck, BrokenFilesAreListedAndTheOthersChecked) {
  write_healthy();
  put(folder_ / "train/a/broken.png", "\x89PNG\r\n\x1a\n and then nothing");
  put(folder_ / "test/b/empty.jpg", "");
  const Report report = check(open());
  ASSERT_EQ(report.broken.size(), 2U);
  EXPECT_TRUE(report.broken[0].sample.name.ends_with("train/a/broken.png"));
  EXPECT_EQ(report.broken[0].sample.label, "a");
  EXPECT_EQ(report.broken[1].sample.split, "test");
}

TEST_F(DataCheck, AFileInAnotherFormatThanItsNameSaysIsFound) {
  write_healthy();
  fs::rename(folder_ / "train/a/0.png", folder_ / "train/a/0.jpg");
  const Report report = check(open());
  ASSERT_EQ(report.wrong_suffix.size(), 1U);
  EXPECT_TRUE(report.wrong_suffix[0].sample.name.ends_with("a/0.jpg"));
  EXPECT_EQ(report.wrong_suffix[0].problem, "is a PNG file");
}

TEST_F(DataCheck, ExactDuplicatesAreFoundWithinAndAcrossSplits) {
  write_healthy();
  write("train/b/copy.png", waves(0));  // of train/a/0: another class, too
  write("test/a/leaked.png", waves(101));
  const Report report = check(open());
  ASSERT_EQ(report.duplicates.size(), 2U);
  EXPECT_TRUE(report.duplicates[0].exact && report.duplicates[0].across);
  EXPECT_TRUE(report.duplicates[0].labels_differ);  // train/b/1 is test/a/leaked
  EXPECT_TRUE(report.duplicates[1].exact && !report.duplicates[1].across);
  EXPECT_TRUE(report.duplicates[1].labels_differ);
}

TEST_F(DataCheck, NearDuplicatesSurviveScalingNoiseAndBrightness) {
  write_healthy();
  write("train/a/scaled.png", resize(waves(201), 31, 31, Filter::bilinear));
  Image noisy = waves(202), bright = waves(203);
  Random random(1, "noise");
  for (uint8_t& value : noisy.pixels)
    value = static_cast<uint8_t>(std::clamp(value + static_cast<int>(random.below(9)) - 4, 0, 255));
  for (uint8_t& value : bright.pixels) value = static_cast<uint8_t>(value * 8 / 10 + 20);
  write("train/a/noisy.png", noisy);
  write("train/a/bright.png", bright);
  const Report report = check(open());
  ASSERT_EQ(report.duplicates.size(), 3U);
  for (const Duplicates& group : report.duplicates) {
    EXPECT_FALSE(group.exact);
    EXPECT_TRUE(group.across);
    EXPECT_EQ(group.samples.size(), 2U);
  }
  EXPECT_TRUE(check(open(), {.distance = -1}).duplicates.empty());
}

TEST_F(DataCheck, OddSizesAndImbalanceAreMeasured) {
  write_healthy();
  write("train/a/tiny.png", waves(7, 8, 8));
  write("train/a/long.png", waves(8, 20, 120));
  const Report report = check(open());
  ASSERT_EQ(report.odd_sizes.size(), 2U);
  EXPECT_EQ(report.odd_sizes[0].problem, "20x120, more than four times as long as wide");
  EXPECT_EQ(report.odd_sizes[1].problem, "8x8, less than a tenth as large as the others");
  EXPECT_NEAR(*report.imbalance(), 8.0 / 6, 1e-9);
  EXPECT_EQ(report.sizes[0].count, 24);
}

TEST(DataCheckNumbers, NumbersThatAreNotFiniteAreBrokenSamples) {
  std::vector<float> values(6 * 4, 0);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  values[9] = NAN;
  const auto samples = std::make_shared<ArrayDataset>(
      Array::of(values, {6, 1, 4}), Array::of(std::vector<int64_t>{0, 1, 0, 1, 0, 1}),
      class_targets({"x", "y", "z"}));
  const Report report = check({"numbers", samples, samples});
  ASSERT_EQ(report.broken.size(), 2U);  // of train and test
  EXPECT_EQ(report.broken[0].problem, "holds numbers that are not finite");
  EXPECT_EQ(report.duplicates.size(), 5U);
  EXPECT_FALSE(report.statistics);
  EXPECT_TRUE(std::isinf(*report.imbalance()));
}

TEST(NearDuplicates, EqualThoseOfComparingAllPairs) {
  Random random(3, "hashes");
  std::vector<Likeness> pictures(400);
  for (Likeness& p : pictures) {
    p.hash = random.below(16) * 0x9e3779b97f4a7c15U;
    for (uint64_t flips = random.below(9); flips > 0; --flips)
      p.hash ^= uint64_t{1} << random.below(64);
  }
  for (const int distance : {0, 1, 4, 8}) {
    std::vector<bool> taken(pictures.size());
    std::vector<std::vector<size_t>> expected;
    for (size_t i = 0; i < pictures.size(); ++i) {
      std::vector<size_t> group{i};
      for (size_t k = i + 1; k < pictures.size() && !taken[i]; ++k) {
        if (taken[k] || std::popcount(pictures[i].hash ^ pictures[k].hash) > distance) continue;
        taken[k] = true;
        group.push_back(k);
      }
      if (group.size() > 1) expected.push_back(group);
    }
    EXPECT_EQ(near_duplicates(pictures, distance, 0.5), expected) << distance;
  }
}

TEST_F(DataCheck, BoxesAreCountedAndCheckedOneByOne) {
  for (uint64_t i = 0; i < 4; ++i) write("images/train/" + std::to_string(i) + ".png", waves(i));
  write("images/val/0.png", waves(9));
  fs::create_directories(folder_ / "labels/train");
  fs::create_directories(folder_ / "labels/val");
  put(folder_ / "classes.txt", "cat\ndog\n");
  put(folder_ / "labels/train/0.txt", "0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.25 0.5\n");
  put(folder_ / "labels/train/1.txt", "1 0.25 0.5 0.5 0.5\n1 0.25 0.5 0.5 0.5\n");
  put(folder_ / "labels/train/2.txt", "0 0.9 0.5 0.5 0.5\n");
  put(folder_ / "labels/val/0.txt", "0 0.5 0.5 0.5 0.5\n");
  const Report report = check(data::open("yolo:" + (folder_ / "").string()));
  ASSERT_EQ(report.broken.size(), 1u);
  EXPECT_NE(report.broken[0].problem.find("labels/train/2.txt: line 1: the box lies outside"),
            std::string::npos)
      << report.broken[0].problem;
  ASSERT_EQ(report.repeated_boxes.size(), 1u);
  EXPECT_EQ(report.repeated_boxes[0].problem, "the same box twice: dog at 0, 12");
  EXPECT_TRUE(report.counts_boxes);
  ASSERT_EQ(report.classes.size(), 2u);
  EXPECT_EQ(report.classes[0].second, (std::map<std::string, int64_t>{{"train", 1}, {"test", 1}}));
  EXPECT_EQ(report.classes[1].second, (std::map<std::string, int64_t>{{"train", 3}, {"test", 0}}));
}

}  // namespace
}  // namespace fovea::data
