#include "fovea/data/synthetic.h"

#include <gtest/gtest.h>

#include <memory>

namespace fovea::data {
namespace {

void expect_same_targets(const Dataset& set) {
  for (int64_t i = 0; i < set.size(); ++i) {
    const Array alone = set.target(i), beside = set.sample(i).target;
    ASSERT_EQ(describe(alone), describe(beside));
    for (int64_t k = 0; k < alone.numel(); ++k) EXPECT_EQ(alone.at(k), beside.at(k)) << i;
  }
}

TEST(Synthetic, TargetsAloneAreThoseOfTheSamples) {
  expect_same_targets(Noise(7, {3, 8, 8}, class_targets({"a", "b", "c"})));
  expect_same_targets(Noise(7, {2, 9}, {.type = {DType::f32, {2}}, .names = {"x", "y"}}));
  expect_same_targets(Discs(20, 3));
}

TEST(Synthetic, AMillionSamplesOfNoiseAreSplitWithoutTheirImages) {
  // A plan splits them by class and needs no image: to draw all would take an hour.
  const auto noise =
      std::make_shared<Noise>(1'000'000, Shape{3, 224, 224}, class_targets({"a", "b"}));
  EXPECT_EQ(split_validation(noise, 0.1, 0).val->size(), 100'000);
}

}  // namespace
}  // namespace fovea::data
