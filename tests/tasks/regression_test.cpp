#include "fovea/tasks/regression.h"

#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

const data::Targets two{.type = {DType::f32, {2}}, .names = {"x", "y"}};

TEST(Regression, MetricsAreThoseOfTheDefinition) {
  const Regression task(two);
  const Array outputs = Array::of(std::vector<float>{1, 5, 2, 5, 4, 8}, {3, 2});
  const Array targets = Array::of(std::vector<float>{1, 4, 3, 6, 5, 8}, {3, 2});
  const Measures measures = measured(task, {outputs}, {targets});
  // x: errors 0, 1, 1, spread 8; y: errors 1, 1, 0, spread 8.
  EXPECT_NEAR(*find(measures.numbers(), "r2"), 1 - 2.0 / 8, 1e-12);
  EXPECT_NEAR(*find(measures.numbers(), "loss"), 4.0 / 6, 1e-12);
  EXPECT_NEAR(*find(measures.numbers(), "mae"), 4.0 / 6, 1e-12);
  EXPECT_NEAR(loss_of(task, outputs, targets), 4.0 / 6, 1e-6);
  const Table table = measures.tables()[0];
  EXPECT_EQ(table.rows[1].first, "y");
  EXPECT_NEAR(table.rows[1].second[0], 0.75, 1e-12);
}

TEST(Regression, BatchesAddUp) {
  const Regression task({.type = {DType::f32, {1}}, .names = {}});
  const auto column = [](const std::vector<float>& v) { return Array::of(v, {std::ssize(v), 1}); };
  const Measures full = measured(task, {column({1, 2, 3, 5})}, {column({1.5, 2, 2, 6})});
  const Measures parts =
      measured(task, {column({1}), column({2, 3, 5})}, {column({1.5}), column({2, 2, 6})});
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(full.numbers()[i].second, parts.numbers()[i].second, 1e-12);
}

TEST(Regression, AConstantTargetScoresOneOrZero) {
  const Regression task({.type = {DType::f32, {1}}, .names = {}});
  const Array same = Array::full(DType::f32, {3, 1}, 2), other = Array::full(DType::f32, {3, 1}, 3);
  EXPECT_EQ(find(measured(task, {same}, {same}).numbers(), "r2"), 1);
  EXPECT_EQ(find(measured(task, {other}, {same}).numbers(), "r2"), 0);
}

TEST(Regression, PredictionsAreTheNumbersByName) {
  const Regression task(two);
  const Array y = Array::of(std::vector<float>{0, 0, 0.5, -12}, {2, 2});
  EXPECT_EQ(task.predict(y, 1, 5)->text(), "  x         0.5\n  y         -12\n");
  EXPECT_EQ(task.predict(y, 1, 5)->json().dump(),
            "{\"numbers\":[{\"name\":\"x\",\"value\":0.5},{\"name\":\"y\",\"value\":-12.0}]}");
}

TEST(Regression, WhatDoesNotFitIsAUsageError) {
  const Regression task(two);
  const Array y = Array::zeros(DType::f32, {3, 2});
  expect_error(ErrorKind::usage, "mse_loss", [&] {
    loss_of(task, y, Array::zeros(DType::f32, {3, 1}));
  });
  expect_error(ErrorKind::usage, "regress: numbers have no labels to smooth",
               [&] { loss_of(task, y, y, {.label_smoothing = 0.1}); });
  expect_error(ErrorKind::usage, "regress: targets must be numbers",
               [] { Regression(data::class_targets({"a"})); });
}

}  // namespace
}  // namespace fovea::tasks
