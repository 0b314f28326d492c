#include "fovea/tasks/class_weights.h"

#include <cmath>

#include "fovea/core/random.h"
#include "fovea/tasks/classification.h"
#include "fovea/tasks/multilabel.h"
#include "tasks/helpers.h"
#include "temporary_folder.h"

namespace fovea::tasks {
namespace {

/// Samples without inputs.
class Labelled : public data::Dataset {
 public:
  Labelled(Array targets, data::Targets meaning)
      : targets_(std::move(targets)), meaning_(std::move(meaning)) {}
  int64_t size() const override { return targets_.dim(0); }
  data::Sample sample(int64_t i) const override { return {Array(), target(i)}; }
  std::optional<Type> input() const override { return std::nullopt; }
  const data::Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override {
    Array one(meaning_.type.dtype, meaning_.type.shape);
    for (int64_t k = 0; k < one.numel(); ++k) one.set(k, targets_.at(i * one.numel() + k));
    return one;
  }

 private:
  Array targets_;
  data::Targets meaning_;
};

const data::Targets three_pets = data::class_targets({"cat", "dog", "emu"});
const data::Targets weather{
    .type = {DType::f32, {2}}, .names = {"wet", "red"}, .task = "multilabel"};

Labelled some_pets() { return {Array::of(std::vector<int64_t>{0, 0, 0, 1, 0, 1}), three_pets}; }

Array normal(const Shape& shape) {
  Random random(1, "logits");
  Array array(DType::f64, shape);
  for (double& value : array.data<double>()) value = random.normal();
  return array;
}

double log_softmax_at(const Array& logits, int64_t n, int64_t k) {
  double sum = 0;
  for (int64_t j = 0; j < logits.dim(1); ++j) sum += std::exp(logits.at(n * logits.dim(1) + j));
  return logits.at(n * logits.dim(1) + k) - std::log(sum);
}

// PyTorch's CrossEntropyLoss(weight): the mean is weighted by the weights of the labels.
TEST(ClassWeights, TheLossOfClassesIsTheWeightedMean) {
  const Classification task(three_pets);
  const Array logits = normal({5, 3}), target = Array::of(std::vector<int64_t>{0, 2, 1, 1, 2});
  const std::vector<double> weights{0.5, 2, 3};
  double sum = 0, total = 0;
  for (int64_t n = 0; n < 5; ++n) {
    const auto label = static_cast<int64_t>(target.at(n));
    sum -= weights[static_cast<size_t>(label)] * log_softmax_at(logits, n, label);
    total += weights[static_cast<size_t>(label)];
  }
  EXPECT_NEAR(loss_of(task, logits, target, {.class_weights = weights}), sum / total, 1e-14);
}

// PyTorch's BCEWithLogitsLoss(pos_weight), whose targets may be smoothed.
TEST(ClassWeights, ThePresenceOfALabelIsWeighted) {
  const Multilabel task(weather);
  const Array logits = normal({4, 2});
  const Array target = Array::of(std::vector<float>{1, 0, 0, 1, 1, 1, 0, 0}, {4, 2});
  const std::vector<double> weights{3, 0.25};
  double sum = 0;
  for (int64_t i = 0; i < 8; ++i) {
    const double t = target.at(i) * 0.9 + 0.05, x = logits.at(i);
    sum += weights[static_cast<size_t>(i % 2)] * t * std::log1p(std::exp(-x)) +
           (1 - t) * std::log1p(std::exp(x));
  }
  EXPECT_NEAR(loss_of(task, logits, target, {.label_smoothing = 0.1, .class_weights = weights}),
              sum / 8, 1e-7);
}

TEST(ClassWeights, BalancedOnesMakeEveryClassCountTheSame) {
  EXPECT_EQ(class_weights("balanced", Classification(three_pets), some_pets()),
            (std::vector<double>{6.0 / (2 * 4), 6.0 / (2 * 2), 0}));
  const Labelled wet(Array::of(std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0}, {4, 2}), weather);
  EXPECT_EQ(class_weights("balanced", Multilabel(weather), wet), (std::vector<double>{1, 1}));
  const Labelled dry(Array::of(std::vector<float>{1, 0, 0, 0, 0, 0, 0, 0}, {4, 2}), weather);
  EXPECT_EQ(class_weights("balanced", Multilabel(weather), dry), (std::vector<double>{3, 1}));
  EXPECT_TRUE(class_weights("", Classification(three_pets), some_pets()).empty());
}

TEST(ClassWeights, ATaskWithoutClassesRefusesThem) {
  const data::Targets numbers{.type = {DType::f32, {1}}, .names = {"size"}};
  const Labelled samples(Array::of(std::vector<float>{1, 2}, {2, 1}), numbers);
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] { class_weights("balanced", *make("regress", numbers), samples); }),
            "--class-weights: the task regress has neither classes nor labels\n"
            "  try     no --class-weights");
}

TEST(ClassWeights, ATableHasARowForEachClass) {
  const TemporaryFolder folder;
  const std::string file = (folder / "w.csv").string();
  const Classification task(three_pets);
  const auto read = [&](const std::string& rows) {
    put(file, "weight,name\n" + rows);
    return class_weights(file, task, some_pets());
  };
  EXPECT_EQ(read("2,emu\n0.5,cat\n0,dog\n"), (std::vector<double>{0.5, 0, 2}));
  const auto error = [&](const std::string& rows) {
    return error_text(ErrorKind::data, [&] { read(rows); });
  };
  EXPECT_EQ(error("1,cat\n1,cow\n"),
            file + ": line 3 has the unknown class \"cow\"\n  classes cat, dog, emu");
  EXPECT_EQ(error("1,cat\n1,dog\n"), file +
                                         ": no weight for the class \"emu\"\n"
                                         "  expected one row for each of cat, dog, emu");
  EXPECT_EQ(error("1,cat\n2,cat\n"), file + ": line 3 lists the class \"cat\" again");
  EXPECT_EQ(error("1,cat\n-2,dog\n"),
            file + ": line 3 has the weight \"-2\"; a number from 0 to 1e6 is expected");
  EXPECT_EQ(error("0,cat\n0,dog\n0,emu\n"), file + ": all weights are 0");
  put(file, "class,weight\ncat,1\n");
  EXPECT_EQ(error_text(ErrorKind::data, [&] { class_weights(file, task, some_pets()); }),
            file + ": no column \"name\"\n  found    class, weight\n  expected name,weight");
}

}  // namespace
}  // namespace fovea::tasks
