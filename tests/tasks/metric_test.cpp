#include "fovea/tasks/metric.h"

#include <algorithm>
#include <cmath>

#include "fovea/ops.h"
#include "fovea/ops/metrics.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

/// A confusion matrix, as a user might add one.
Metric confusion(const data::Targets& targets) {
  const auto classes = std::ssize(targets.names);
  return {
      .name = "confused",
      .better = Better::smaller,
      .sum =
          [classes](const Tensor& x, const Tensor& t) {
            const Tensor logits = cast(x, DType::f64);
            const Tensor hit = in_top_k(logits, t, 1);
            return sum(one_hot(t, classes, DType::f64) * reshape(1.0 - hit, {x.dim(0), 1}), {0});
          },
      .value = [](const Array& sum, int64_t) -> std::optional<double> {
        double all = 0;
        for (int64_t i = 0; i < sum.numel(); ++i) all += sum.at(i);
        return all;
      }};
}

TEST(Metrics, OneFromOutsideIsMeasuredWithTheOthers) {
  add_metric("classify", confusion);
  const auto task = make("classify", data::class_targets({"a", "b"}));
  const Array logits = Array::of(std::vector<float>{0, 1, 0, 1, 1, 0}, {3, 2});
  const Measures measures = measured(
      *task, {logits, logits}, {Array::of<int64_t>({0, 1, 0}), Array::of<int64_t>({0, 0, 1})});
  EXPECT_EQ(find(measures.numbers(), "confused"), 4);
  EXPECT_EQ(measures.count(), 6);
}

/// The median of the outputs, which no sum gives.
Metric median() {
  return {.name = "median",
          .value = [](const Array& rows, int64_t count) -> std::optional<double> {
            std::vector<double> values;
            for (int64_t i = 0; i < count; ++i) values.push_back(rows.at(i));
            std::ranges::sort(values);
            return values[values.size() / 2];
          },
          .rows = [](const Tensor& x, const Tensor&) { return x; }};
}

TEST(Metrics, OneMayBeComputedFromAnothersRows) {
  Metric largest{.name = "largest",
                 .value = [](const Array& rows, int64_t count) -> std::optional<double> {
                   double most = rows.at(0);
                   for (int64_t i = 0; i < count; ++i) most = std::max(most, rows.at(i));
                   return most;
                 },
                 .of = "median"};
  const std::vector<Metric> all{median(), largest};
  EXPECT_EQ(with_own(all).size(), 1u);
  EXPECT_TRUE(in_training(all).empty());
  Measures measures(all);
  measures.add({Array::of(std::vector<float>{5, 1, 9}, {3, 1})}, 3);
  EXPECT_EQ(measures.numbers(), (Numbers{{"median", 5}, {"largest", 9}}));
}

TEST(Tables, AsTextTheyHaveCountsAndDecimals) {
  const Table table{.name = "per_class",
                    .rows_are = "class",
                    .columns = {"count", "accuracy"},
                    .rows = {{"cat", {12345, 0.5}}},
                    .counts = 1};
  EXPECT_EQ(text_rows(table), (std::vector<std::vector<std::string>>{{"cat", "12,345", "0.5000"}}));
  const Table matrix{.name = "confusion",
                     .rows_are = "class",
                     .columns = {"a", "b", "c"},
                     .rows = {{"a", {9, 2, 0}}, {"b", {3, 8, 2}}, {"c", {0, 1, 7}}},
                     .counts = 3,
                     .matrix = true};
  EXPECT_EQ(most_confused(matrix, 3), (std::vector<std::vector<std::string>>{
                                          {"b", "a", "3"}, {"a", "b", "2"}, {"b", "c", "2"}}));
}

TEST(Metrics, RowsOfAllBatchesAreJoinedInOrder) {
  for (const int64_t expected : {0, 2, 5, 9}) {  // samples told of beforehand
    Measures measures({median()}, expected);
    EXPECT_TRUE(std::isnan(measures.numbers()[0].second));
    measures.add({Array::of(std::vector<float>{5, 1}, {2, 1})}, 2);
    measures.add({Array::of(std::vector<float>{9}, {1, 1})}, 1);
    EXPECT_EQ(find(measures.numbers(), "median"), 5);
    measures.add({Array::of(std::vector<float>{8, 7}, {2, 1})}, 2);
    EXPECT_EQ(find(measures.numbers(), "median"), 7);
    expect_error(ErrorKind::usage, "the rows of median are not saved",
                 [&] { (void)measures.text(); });
    measures.clear();
    measures.add({Array::of(std::vector<float>{3}, {1, 1})}, 1);
    EXPECT_EQ(find(measures.numbers(), "median"), 3);
  }
  EXPECT_TRUE(in_training({median()}).empty());
}

TEST(Metrics, WhatIsNoRowPerSampleIsAUsageError) {
  Metric total = median();
  total.rows = [](const Tensor& x, const Tensor&) { return sum(x, {0}); };
  const Array x = Array::zeros(DType::f32, {2, 3});
  expect_error(ErrorKind::usage, "metric median: a row per sample is expected", [&] {
    (void)eval(
        [&](const Tensors& t) {
          add_outputs({total}, t[0], t[0]);
          return Tensors{t[0]};
        },
        {x});
  });
}

TEST(Metrics, SumsAreSavedToTheBit) {
  const Metric mean{.name = "mean"};
  const Metric spread{.name = "spread", .value = [](const Array& s, int64_t) {
                        return std::optional<double>(s.at(1));
                      }};
  Measures measures({mean, spread});
  measures.add({Array::full(DType::f64, Shape{}, 0.1), Array::of(std::vector<double>{1.0 / 3, 2})},
               3);
  measures.add({Array::full(DType::f64, Shape{}, 0.2), Array::of(std::vector<double>{1e-300, -7})},
               4);
  Measures again({mean, spread});
  again.parse(measures.text());
  EXPECT_EQ(again.text(), measures.text());
  EXPECT_EQ(again.numbers(), measures.numbers());
  EXPECT_EQ(find(again.numbers(), "mean"), (0.1 + 0.2) / 7);
  EXPECT_EQ(find(again.numbers(), "spread"), -5);
  Measures empty({mean, spread});
  again.parse(empty.text());
  EXPECT_EQ(again.count(), 0);
  for (const char* text : {"", "x", "3 [1]2", "3 [] []", "3 [2,]1, [1,]1,", "3 1 2"}) {
    expect_error(ErrorKind::model, "is not a list of measures", [&] { again.parse(text); });
  }
}

}  // namespace
}  // namespace fovea::tasks
