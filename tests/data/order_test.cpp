#include "fovea/data/order.h"

#include <algorithm>

#include "data/helpers.h"

namespace fovea::data {
namespace {

/// 1,000 samples of one class, 10 of another, none of a third.
std::shared_ptr<const ArrayDataset> rare_class() {
  Array labels = Array::zeros(DType::i64, {1010});
  for (int64_t i = 500; i < 510; ++i) labels.set(i, 2);
  return std::make_shared<ArrayDataset>(Array::zeros(DType::u8, {1010, 1, 1, 1}), labels,
                                        class_targets({"common", "absent", "rare"}));
}

TEST(SampleOrder, BalancedDrawsEveryClassThatHasSamplesEquallyOften) {
  const auto set = rare_class();
  const SampleOrder order(set, Sampling::balanced, 3);
  const std::vector<int64_t> epoch = order.epoch(0);
  ASSERT_EQ(epoch.size(), 1010u);
  const auto rare = std::ranges::count_if(epoch, [](int64_t i) { return i >= 500 && i < 510; });
  EXPECT_NEAR(static_cast<double>(rare), 505, 4 * 15.9);  // four standard deviations
  for (int64_t i = 500; i < 510; ++i) EXPECT_GT(std::ranges::count(epoch, i), 20);
  EXPECT_EQ(order.epoch(0), epoch);
  EXPECT_EQ(SampleOrder(set, Sampling::balanced, 3).epoch(0), epoch);
  EXPECT_NE(order.epoch(1), epoch);
  EXPECT_NE(SampleOrder(set, Sampling::balanced, 4).epoch(0), epoch);
}

TEST(SampleOrder, BalancedNeedsClasses) {
  const auto numbers = std::make_shared<ArrayDataset>(
      Array::zeros(DType::f32, {4, 1}), Array::zeros(DType::f32, {4, 2}),
      Targets{.type = {DType::f32, {2}}, .names = {"a", "b"}});
  EXPECT_EQ(std::string(error_of([&] { SampleOrder(numbers, Sampling::balanced, 1); }).what()),
            "--sampling balanced needs classes\n  targets f32[2]\n  try     --sampling shuffled");
  EXPECT_EQ(std::string(error_of([&] { parse_sampling("x"); }).what()),
            "--sampling: \"x\" is neither shuffled nor balanced");
}

TEST(SampleOrder, AnEmptySplitHasAnEmptyOrder) {
  const auto none = std::make_shared<Subset>(rare_class(), std::vector<int64_t>{});
  for (const Sampling sampling : {Sampling::in_order, Sampling::shuffled, Sampling::balanced})
    EXPECT_TRUE(SampleOrder(none, sampling, 1).epoch(0).empty());
}

}  // namespace
}  // namespace fovea::data
