#include "fovea/tasks/classification.h"

#include <cmath>
#include <limits>

#include "fovea/core/random.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

data::Targets classes(int64_t count) {
  std::vector<std::string> names;
  for (int64_t k = 0; k < count; ++k) names.push_back("class " + std::to_string(k));
  return data::class_targets(names);
}

TEST(Classification, MetricsAreThoseOfTheDefinitionTiesIncluded) {
  Random random(1, "logits");
  const int64_t n = 40, count = 7;
  Array logits(DType::f32, {n, count}), labels(DType::i64, {n});
  for (int64_t i = 0; i < logits.numel(); ++i) {
    logits.set(i, static_cast<double>(random.below(4)));  // with many ties
  }
  for (int64_t i = 0; i < n; ++i) labels.set(i, static_cast<double>(random.below(count)));
  double correct = 0, correct5 = 0, loss = 0;
  std::vector<double> own(count), right(count);
  for (int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<int64_t>(labels.at(i));
    const auto z = [&](int64_t k) { return logits.at(i * count + k); };
    int64_t before = 0;
    double sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      before += z(k) > z(label) || (z(k) == z(label) && k < label);
      sum += std::exp(z(k));
    }
    correct += before == 0;
    correct5 += before < 5;
    loss += std::log(sum) - z(label);
    own[static_cast<size_t>(label)] += 1;
    right[static_cast<size_t>(label)] += before == 0;
  }
  const Classification task(classes(count));
  const auto half = [&](const Array& full, int64_t part) {
    Array some(full.dtype(), Shape{n / 2}.concat(full.shape().slice(1)));
    for (int64_t i = 0; i < some.numel(); ++i) some.set(i, full.at(part * some.numel() + i));
    return some;
  };
  const Measures measures =
      measured(task, {half(logits, 0), half(logits, 1)}, {half(labels, 0), half(labels, 1)});
  EXPECT_EQ(find(measures.numbers(), "accuracy"), correct / n);
  EXPECT_EQ(find(measures.numbers(), "top5"), correct5 / n);
  EXPECT_NEAR(*find(measures.numbers(), "loss"), loss / n, 1e-13);
  EXPECT_NEAR(loss_of(task, logits, labels), loss / n, 1e-6);
  ASSERT_EQ(measures.tables().size(), 2u);
  const Table table = measures.tables()[0], matrix = measures.tables()[1];
  EXPECT_EQ(table.name, "per_class");
  const auto ratio = [](double a, double b) { return b == 0 ? 0 : a / b; };
  for (size_t k = 0; k < own.size(); ++k) {
    EXPECT_EQ(table.rows[k].first, "class " + std::to_string(k));
    double predicted = 0, in_row = 0;
    for (size_t j = 0; j < own.size(); ++j) {
      predicted += matrix.rows[j].second[k];
      in_row += matrix.rows[k].second[j];
    }
    EXPECT_EQ(in_row, own[k]);
    EXPECT_EQ(matrix.rows[k].second[k], right[k]);
    const double precision = ratio(right[k], predicted), recall = ratio(right[k], own[k]);
    EXPECT_EQ(table.rows[k].second[3], precision);
    EXPECT_NEAR(table.rows[k].second[5], ratio(2 * precision * recall, precision + recall), 1e-15);
    EXPECT_EQ(table.rows[k].second[2], recall);
    EXPECT_EQ(table.rows[k].second[4], recall);
    EXPECT_EQ(table.rows[k].second[0], own[k]);
    EXPECT_EQ(table.rows[k].second[1], right[k]);
  }
}

TEST(Classification, TheConfusionMatrixHasTrueClassesInRows) {
  const Classification task(classes(3));
  const Array logits =
      Array::of(std::vector<float>{0, 1, 0, 0, 1, 0, 3, 1, 0, 0, 0, 1, 2, 2, 0}, {5, 3});
  const Measures measures = measured(task, {logits}, {Array::of<int64_t>({0, 1, 0, 0, 1})});
  const Table matrix = measures.tables()[1];
  EXPECT_EQ(matrix.name, "confusion");
  EXPECT_TRUE(matrix.matrix);
  EXPECT_EQ(matrix.rows[0].second, (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(matrix.rows[1].second, (std::vector<double>{1, 1, 0}));  // of equal logits the first
  EXPECT_EQ(matrix.rows[2].second, (std::vector<double>{0, 0, 0}));
}

TEST(Classification, TheCalibrationErrorIsThatOfFifteenBins) {
  Random random(3, "logits");
  const int64_t n = 500, count = 4;
  Array logits(DType::f32, {n, count}), labels(DType::i64, {n});
  for (int64_t i = 0; i < logits.numel(); ++i) logits.set(i, 4 * random.uniform());
  for (int64_t i = 0; i < n; ++i) labels.set(i, static_cast<double>(random.below(count)));
  double expected = 0;
  for (int b = 0; b < 15; ++b) {
    double confidences = 0, right = 0;
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      int64_t top = 0;
      for (int64_t k = 0; k < count; ++k) {
        sum += std::exp(logits.at(i * count + k));
        if (logits.at(i * count + k) > logits.at(i * count + top)) top = k;
      }
      const double p = std::exp(logits.at(i * count + top)) / sum;
      if (p <= b / 15.0 || p > (b + 1) / 15.0) continue;
      confidences += p;
      right += static_cast<double>(top) == labels.at(i);
    }
    expected += std::abs(right - confidences) / static_cast<double>(n);
  }
  EXPECT_GT(expected, 0.1);
  EXPECT_NEAR(*find(measured(Classification(classes(count)), {logits}, {labels}).numbers(), "ece"),
              expected, 1e-13);
}

TEST(Classification, TheClassPredictedIsTheOneThatAccuracyCounts) {
  // Both probabilities round to one half; the logits differ.
  const Classification task(data::class_targets({"ant", "bee"}));
  const Array logits = Array::of(std::vector<float>{0, 1e-30f}, {1, 2});
  const Array p = eval([&](const Tensors& t) { return Tensors{task.decoded(t[0])}; }, {logits})[0];
  const Array label = Array::of<int64_t>({1});
  EXPECT_EQ(find(measured(task, {logits}, {label}).numbers(), "accuracy"), 1);
  const Cells expected{
      {"target", "bee"}, {"prediction", "bee"}, {"probability", "0.5"}, {"correct", "1"}};
  EXPECT_EQ(task.scored(p, label, 0), expected);
}

TEST(Classification, TooManyClassesHaveNoConfusionMatrix) {
  EXPECT_EQ(Classification(classes(2048)).metrics().back().name, "confusion");
  EXPECT_EQ(Classification(classes(2049)).metrics().back().name, "per_class");
}

TEST(Classification, ANaNLogitIsNeverRight) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Classification task(classes(2));
  const Array logits = Array::of(std::vector<float>{nan, nan, 1, 0}, {2, 2});
  const Measures measures = measured(task, {logits}, {Array::of<int64_t>({0, 0})});
  EXPECT_EQ(find(measures.numbers(), "accuracy"), 0.5);
  EXPECT_TRUE(std::isnan(*find(measures.numbers(), "loss")));
}

TEST(Classification, SoftTargetsOfMixedSamplesCountAsTheyAre) {
  const Classification task(classes(3));
  const Array logits = Array::of(std::vector<float>{3, 1, 0, 0, 1, 3}, {2, 3});
  const Array shares = Array::of(std::vector<float>{0.75, 0.25, 0, 0.5, 0.5, 0}, {2, 3});
  EXPECT_EQ(find(measured(task, {logits}, {shares}).numbers(), "accuracy"), 0.75 / 2);
}

TEST(Classification, ALabelOutOfRangeIsADataError) {
  const Classification task(classes(2));
  const Array logits = Array::of(std::vector<float>{0, 1}, {1, 2});
  expect_error(ErrorKind::data, "in_top_k: label 2 at 0 is not one of 2 classes",
               [&] { (void)measured(task, {logits}, {Array::of<int64_t>({2})}); });
}

TEST(Classification, PredictionsAreProbabilitiesLargestFirst) {
  const Classification task(data::class_targets({"ant", "bee \xff", "cat"}));
  const Array logits = Array::of(std::vector<float>{0, 1000, 0, 2, 1, 1}, {2, 3});
  const Array p = eval([&](const Tensors& t) { return Tensors{task.decoded(t[0])}; }, {logits})[0];
  EXPECT_EQ(p.dtype(), DType::f64);
  EXPECT_EQ(task.predict(p, 0, 2)->text(),
            "  bee \xff  100.00%  ####################\n"
            "  ant      0.00%\n");
  EXPECT_EQ(task.predict(p, 0, 1)->json().dump(),
            "{\"classes\":[{\"name\":\"bee \xef\xbf\xbd\",\"probability\":1.0}]}");
  const auto prediction = task.predict(p, 1, 9);
  const auto& classes = dynamic_cast<const ClassPrediction&>(*prediction).classes;
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[1].first, "bee \xff");  // of equal ones, the first
  EXPECT_NEAR(classes[0].second, 1 / (1 + 2 * std::exp(-1.0)), 1e-15);
}

TEST(Tasks, AreChosenByTheTargetsOrByName) {
  EXPECT_EQ(make("", classes(3))->name(), "classify");
  EXPECT_EQ(make("classify", classes(3))->outputs(), 3);
  const data::Targets numbers{.type = {DType::f32, {2}}, .names = {}};
  EXPECT_EQ(make("", numbers)->name(), "regress");
  EXPECT_EQ(make("", numbers)->outputs(), 2);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { make("classify", numbers); }),
            "the task classify cannot learn such targets\n"
            "  targets f32[2]\n"
            "  tasks   classify, regress, multilabel, segment, detect, reconstruct\n"
            "  try     --task regress, which can");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { make("clasify", classes(2)); }),
            "unknown task \"clasify\"\n"
            "  nearest classify\n"
            "  known   classify, regress, multilabel, segment, detect, reconstruct");
  expect_error(ErrorKind::usage, "no task can learn such targets", [] {
    make("", {.type = {DType::i64, {4, 4}}, .names = {}});
  });
}

TEST(Tasks, TheMonitoredMetricIsTheFirstOrTheOneNamed) {
  const auto metrics = make("", classes(3))->metrics();
  EXPECT_EQ(metrics[monitored(metrics, "")].name, "accuracy");
  EXPECT_EQ(metrics[monitored(metrics, "loss")].better, Better::smaller);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { monitored(metrics, "acuracy"); }),
            "unknown metric \"acuracy\"\n"
            "  nearest accuracy\n"
            "  known   accuracy, top5, loss, ece");
  EXPECT_THROW(monitored(metrics, "per_class"), Error);  // a table has no best
}

}  // namespace
}  // namespace fovea::tasks
