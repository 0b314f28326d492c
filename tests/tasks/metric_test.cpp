#include "fovea/tasks/metric.h"

#include "fovea/ops.h"
#include "fovea/ops/metrics.h"
#include "tasks/helpers.h"

namespace fovea::tasks {
namespace {

/// A confusion matrix, as somebody may add one.
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

TEST(Metrics, SumsAreKeptToTheBit) {
  const Metric mean{.name = "mean", .sum = nullptr};
  const Metric spread{.name = "spread", .sum = nullptr, .value = [](const Array& s, int64_t) {
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
    expect_error(ErrorKind::model, "are no measures", [&] { again.parse(text); });
  }
}

}  // namespace
}  // namespace fovea::tasks
