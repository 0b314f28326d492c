#include "fovea/tasks/multilabel.h"

#include <cmath>

#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

data::Targets labels(std::vector<std::string> names) {
  return {.type = {DType::f32, {std::ssize(names)}}, .names = std::move(names)};
}

/// 12 samples of 4 labels with many equal scores; the label "c" never holds.
struct Sheet {
  Array logits{DType::f32, {12, 4}}, targets{DType::f32, {12, 4}};
  Sheet() {
    for (int64_t i = 0; i < 12; ++i) {
      for (int64_t k = 0; k < 4; ++k) {
        logits.set(i * 4 + k, static_cast<double>((7 * i + 3 * k) % 5 - 2) / 2);
        targets.set(i * 4 + k, k != 2 && (i * i + 2 * k * i + k) % 3 == 0);
      }
    }
  }
};

Array rows(const Array& all, int64_t begin, int64_t end) {
  Array some(all.dtype(), {end - begin, all.dim(1)});
  for (int64_t i = 0; i < some.numel(); ++i) some.set(i, all.at(begin * all.dim(1) + i));
  return some;
}

// scikit-learn 1.7.2: average_precision_score, f1_score, precision_score and recall_score of the
// same sheet (scripts/golden/multilabel.py).
TEST(Multilabel, MetricsAreScikitLearnsTiesAndAbsentLabelsIncluded) {
  const Multilabel task(labels({"a", "b", "c", "d"}));
  const Sheet sheet;
  const Measures whole = measured(task, {sheet.logits}, {sheet.targets});
  EXPECT_NEAR(*find(whole.numbers(), "mAP"), 0.25729166666666664, 1e-15);
  EXPECT_NEAR(*find(whole.numbers(), "f1_micro"), 0.25806451612903225, 1e-15);
  EXPECT_NEAR(*find(whole.numbers(), "f1_macro"), 0.22916666666666666, 1e-15);
  ASSERT_EQ(whole.tables().size(), 1u);
  const Table table = whole.tables()[0];
  EXPECT_EQ(table.columns,
            (std::vector<std::string>{"positives", "ap", "precision", "recall", "f1"}));
  const std::vector<std::vector<double>> expected{{4, 0.3005952380952381, 0.25, 0.25, 0.25},
                                                  {4, 0.41547619047619044, 0.4, 0.5, 4.0 / 9},
                                                  {0, 0, 0, 0, 0},
                                                  {4, 0.3130952380952381, 0.2, 0.25, 2.0 / 9}};
  for (size_t k = 0; k < 4; ++k) {
    for (size_t c = 0; c < 5; ++c)
      EXPECT_NEAR(table.rows[k].second[c], expected[k][c], 1e-15) << k << " " << c;
  }
  // The ranking is over all batches, not one of each.
  const Measures parts = measured(
      task, {rows(sheet.logits, 0, 5), rows(sheet.logits, 5, 6), rows(sheet.logits, 6, 12)},
      {rows(sheet.targets, 0, 5), rows(sheet.targets, 5, 6), rows(sheet.targets, 6, 12)});
  EXPECT_EQ(find(parts.numbers(), "mAP"), find(whole.numbers(), "mAP"));
  EXPECT_EQ(parts.tables()[0].rows, table.rows);
}

TEST(Multilabel, LossIsBinaryCrossEntropyOverSamplesAndLabels) {
  const Multilabel task(labels({"a", "b"}));
  const Array x = Array::of(std::vector<float>{0, 2, -1, 0.5}, {2, 2});
  const Array t = Array::of(std::vector<float>{1, 1, 0, 0}, {2, 2});
  double expected = 0;
  for (int64_t i = 0; i < 4; ++i)
    expected += std::log1p(std::exp(t.at(i) == 1 ? -x.at(i) : x.at(i))) / 4;
  EXPECT_NEAR(loss_of(task, x, t), expected, 1e-6);
  EXPECT_NEAR(*find(measured(task, {x}, {t}).numbers(), "loss"), expected, 1e-14);
  // Smoothed targets are 0.95 and 0.05: each logit then costs 0.05 x more or less.
  EXPECT_NEAR(loss_of(task, x, t, {.label_smoothing = 0.1}), expected + 0.05 * (2 + 1 - 0.5) / 4,
              1e-6);
}

TEST(Multilabel, PredictionsAreTheLabelsAboveOneHalf) {
  const Multilabel task(labels({"ant", "bee", "cat"}));
  const Array x = Array::of(std::vector<float>{1, -1, 3, 0, -1e-30f, -9, 0, 1e-30f, -9}, {3, 3});
  const Array p = eval([&](const Tensors& t) { return Tensors{task.decoded(t[0])}; }, {x})[0];
  EXPECT_EQ(task.predict(p, 0, 1)->text(),
            "  cat   95.26%  ###################\n"
            "  ant   73.11%  ###############\n");
  EXPECT_EQ(task.predict(p, 1, 5)->text(), "  none\n");
  EXPECT_EQ(task.predict(p, 1, 5)->json().dump(), "{\"labels\":[]}");
  // Its probability rounds to one half, but the metrics count it as predicted.
  EXPECT_EQ(task.predict(p, 2, 5)->json().dump(),
            "{\"labels\":[{\"name\":\"bee\",\"probability\":0.5}]}");
  const Array targets = Array::of(std::vector<float>{1, 1, 0, 0, 0, 0, 0, 1, 0}, {3, 3});
  const Cells cells = task.scored(p, targets, 0);
  ASSERT_EQ(cells.size(), 5u);
  EXPECT_EQ(cells[0], (std::pair<std::string, std::string>("target", "ant;bee")));
  EXPECT_EQ(cells[1], (std::pair<std::string, std::string>("prediction", "cat;ant")));
  EXPECT_EQ(cells[2].first, "ant");
}

TEST(Multilabel, IsTheTaskOfDataSetsThatSaySo) {
  data::Targets targets = labels({"a", "b"});
  EXPECT_EQ(make("", targets)->name(), "regress");
  EXPECT_EQ(make("multilabel", targets)->name(), "multilabel");
  targets.task = "multilabel";
  EXPECT_EQ(make("", targets)->name(), "multilabel");
  EXPECT_EQ(make("regress", targets)->name(), "regress");
  EXPECT_EQ(monitored(make("", targets)->metrics(), ""), 0u);
}

TEST(Multilabel, ATargetThatIsNoLabelIsADataError) {
  const data::Targets meaning = labels({"a", "b"});
  const Multilabel task(meaning);
  const Array inputs = Array::zeros(DType::f32, {2, 1});
  task.check(
      data::ArrayDataset(inputs, Array::of(std::vector<float>{0, 1, 1, 1}, {2, 2}), meaning));
  EXPECT_EQ(
      error_text(ErrorKind::data,
                 [&] {
                   task.check(data::ArrayDataset(
                       inputs, Array::of(std::vector<float>{0, 1, 1, 0.25}, {2, 2}), meaning));
                 }),
      "multilabel: a label is neither 0 nor 1\n"
      "  sample  sample 1\n"
      "  label   b\n"
      "  found   0.25\n"
      "  try     --task regress, if targets are numbers");
  expect_error(ErrorKind::usage, "multilabel: targets must be labels of 0 or 1",
               [] { Multilabel(data::class_targets({"a"})); });
}

}  // namespace
}  // namespace fovea::tasks
