#include "fovea/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "data/helpers.h"
#include "fovea/core/parallel.h"

namespace fovea::data {
namespace {

std::vector<int64_t> all_labels(const Dataset& set) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < set.size(); ++i) labels.push_back(class_of(set, i));
  return labels;
}

/// Labels are the sample indices, so that a view shows which samples it holds.
std::shared_ptr<const Dataset> numbered(int64_t n) {
  Array labels(DType::i64, {n});
  for (int64_t i = 0; i < n; ++i) labels.set(i, static_cast<double>(i));
  return std::make_shared<ArrayDataset>(
      Array::zeros(DType::u8, {n, 2, 2, 1}), labels,
      class_targets(std::vector<std::string>(static_cast<size_t>(n), "x")));
}

TEST(Dataset, ArraysThatDoNotFitTogetherAreRefused) {
  const Array images = Array::zeros(DType::u8, {2, 4, 4, 1});
  const Array labels = Array::zeros(DType::i64, {2});
  const Targets a = class_targets({"a"});
  EXPECT_STREQ(
      error_of([&] { ArrayDataset(images, Array::zeros(DType::i64, {3}), a); }).what(),
      "data set: inputs must be u8 or u16 [N, H, W, C], or f32[N, C, ...], targets i64[2]\n"
      "  inputs  u8[2, 4, 4, 1]\n"
      "  targets i64[3]");
  EXPECT_THROW(ArrayDataset(Array::zeros(DType::f64, {2, 4, 4, 1}), labels, a), Error);
  EXPECT_THROW(ArrayDataset(Array::zeros(DType::u8, {2, 4, 4}), labels, a), Error);
  EXPECT_THROW(ArrayDataset(images, Array::zeros(DType::f32, {2}), a), Error);
  const Targets numbers{.type = {DType::f32, {3}}, .names = {"x", "y", "z"}};
  EXPECT_THROW(ArrayDataset(images, Array::zeros(DType::f32, {2, 2}), numbers), Error);
  EXPECT_NO_THROW(ArrayDataset(images, Array::zeros(DType::f32, {2, 3}), numbers));
  EXPECT_STREQ(error_of([&] {
                 ArrayDataset(images, Array::of<int64_t>({0, 2}), class_targets({"a", "b"}));
               }).what(),
               "data set: label 2 of sample 1 is not one of 2 classes");
}

TEST(Dataset, ASubsetShowsTheSamplesOfItsList) {
  auto dataset = random_set(10, 3, 4, 2);
  const Subset subset(dataset, {7, 0, 7});
  ASSERT_EQ(subset.size(), 3);
  for (int64_t i : {0, 2}) {
    EXPECT_EQ(pixels_of(subset, i), pixels_of(*dataset, 7));
    EXPECT_EQ(class_of(subset, i), class_of(*dataset, 7));
  }
  EXPECT_EQ(subset.targets(), dataset->targets());
  EXPECT_STREQ(error_of([&] { Subset(dataset, {10}); }).what(),
               "subset: index 10 of a data set of 10 samples");
  EXPECT_THROW(Subset(dataset, {-1}), Error);
}

TEST(Dataset, ValidationAndTrainingTogetherHoldEverySampleOnce) {
  Random random(3, "splits");
  for (int round = 0; round < 50; ++round) {
    const auto n = static_cast<int64_t>(random.below(300));
    const double share = random.uniform();
    const auto split = split_validation(numbered(n), share, random.bits());
    std::vector<int64_t> both = all_labels(*split.train);
    const std::vector<int64_t> val = all_labels(*split.val);
    EXPECT_TRUE(std::is_sorted(both.begin(), both.end()));
    both.insert(both.end(), val.begin(), val.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, all_labels(*numbered(n)));
    if (n > 1) {
      EXPECT_GE(split.val->size(), 1);
      EXPECT_GE(split.train->size(), 1);
      EXPECT_NEAR(static_cast<double>(split.val->size()), share * static_cast<double>(n), 1.0);
    }
  }
}

TEST(Dataset, TheSplitDependsOnlyOnTheSeed) {
  const auto dataset = numbered(1000);
  const auto val = [&](uint64_t seed) {
    return all_labels(*split_validation(dataset, 0.1, seed).val);
  };
  EXPECT_EQ(val(1).size(), 100u);
  EXPECT_EQ(val(1), val(1));
  EXPECT_NE(val(1), val(2));
  // Drawn from everywhere, not from one end.
  EXPECT_LT(val(1).front(), 100);
  EXPECT_GT(val(1).back(), 900);
}

TEST(Dataset, EachClassGivesItsShareToValidation) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 1000; ++i) labels.push_back(i % 10 == 0 ? 0 : i % 5 == 1 ? 1 : 2);
  const auto dataset =
      std::make_shared<ArrayDataset>(Array::zeros(DType::u8, {1000, 1, 1, 1}), Array::of(labels),
                                     class_targets({"rare", "some", "many"}));
  const ValidationSplit split = split_validation(dataset, 0.1, 7);
  std::vector<int64_t> counts(3);
  for (int64_t i = 0; i < split.val->size(); ++i)
    ++counts[static_cast<size_t>(class_of(*split.val, i))];
  EXPECT_EQ(counts, (std::vector<int64_t>{10, 20, 70}));
}

TEST(Dataset, ClassesAreMatchedByNameAndAnUnknownOneIsListed) {
  const auto dataset = std::make_shared<ArrayDataset>(Array::zeros(DType::u8, {2, 1, 1, 1}),
                                                      Array::of(std::vector<int64_t>{0, 1}),
                                                      class_targets({"cat", "dog"}));
  const Renumbered same(dataset, {"ant", "dog", "cat"});
  EXPECT_EQ(class_of(same, 0), 2);
  EXPECT_EQ(class_of(same, 1), 1);
  EXPECT_EQ(same.sample(0).target.at(0), 2);
  EXPECT_STREQ(error_of([&] {
                 Renumbered(dataset, {"cat", "wolf"});
               }).what(),
               "data set: 1 class is not among the expected ones\n"
               "  unknown  dog\n"
               "  data set cat, dog\n"
               "  expected cat, wolf");
}

TEST(Dataset, ShareZeroTrainsOnAllAndOthersAreRefused) {
  EXPECT_EQ(split_validation(numbered(10), 0, 1).val->size(), 0);
  EXPECT_EQ(split_validation(numbered(10), 0, 1).train->size(), 10);
  const Error error = error_of([] { (void)split_validation(numbered(10), 1, 1); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_STREQ(error.what(),
               "validation share must be at least 0 and less than 1\n"
               "  found   1.000000\n"
               "  try     --val 0.1");
  EXPECT_THROW((void)split_validation(numbered(10), -0.1, 1), Error);
  EXPECT_THROW((void)split_validation(numbered(10), std::nan(""), 1), Error);
}

TEST(Dataset, TheFingerprintSeesEverySizeLabelAndPixel) {
  const auto make = [](const Shape& shape, int64_t pixel, int64_t label) {
    Array images = Array::zeros(DType::u8, shape);
    Array labels = Array::zeros(DType::i64, {shape[0]});
    if (pixel >= 0) images.set(pixel, 1);
    if (label >= 0) labels.set(label, 1);
    return fingerprint(ArrayDataset(images, labels, class_targets({"a", "b"})));
  };
  EXPECT_EQ(make({4, 2, 6, 1}, 3, 1), make({4, 2, 6, 1}, 3, 1));
  std::set<std::string> seen{make({4, 2, 6, 1}, -1, -1), make({4, 6, 2, 1}, -1, -1),
                             make({4, 4, 3, 1}, -1, -1), make({2, 4, 6, 1}, -1, -1),
                             make({4, 2, 2, 3}, -1, -1)};
  for (int64_t i = 0; i < 48; ++i) seen.insert(make({4, 2, 6, 1}, i, -1));
  for (int64_t i = 0; i < 4; ++i) seen.insert(make({4, 2, 6, 1}, -1, i));
  EXPECT_EQ(seen.size(), 5u + 48u + 4u);
  EXPECT_EQ(seen.begin()->size(), 16u);
  // Fixed, so that model files written today match data read tomorrow.
  EXPECT_EQ(make({4, 2, 6, 1}, -1, -1), "adbe1c3635f755f7");
}

TEST(Dataset, StatisticsAreThoseOfTheDefinition) {
  const auto set = random_set(700, 5, 3, 3);
  const ChannelStats stats = channel_stats(*set);
  ASSERT_EQ(stats.mean.size(), 3u);
  for (size_t c = 0; c < 3; ++c) {
    double mean = 0, square = 0;
    const double count = 700 * 15;
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t i = 0; i < set->size(); ++i) {
        const Bytes image = pixels_of(*set, i);
        for (size_t p = c; p < image.size(); p += 3) {
          const double value = image[p] / 255.0;
          pass == 0 ? mean += value / count : square += (value - mean) * (value - mean) / count;
        }
      }
    }
    EXPECT_NEAR(stats.mean[c], mean, 1e-9);
    EXPECT_NEAR(stats.std[c], std::sqrt(square), 1e-9);
  }
  EXPECT_THROW((void)channel_stats(Subset(set, {})), Error);
}

TEST(Dataset, ResultsDoNotDependOnTheNumberOfThreads) {
  const auto set = random_set(2000, 4, 4, 1);
  const int before = threads();
  set_threads(1);
  const std::string one = fingerprint(*set);
  const double mean = channel_stats(*set).mean[0];
  set_threads(4);
  EXPECT_EQ(fingerprint(*set), one);
  EXPECT_EQ(channel_stats(*set).mean[0], mean);
  set_threads(before);
}

}  // namespace
}  // namespace fovea::data
