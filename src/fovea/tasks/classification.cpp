#include "fovea/tasks/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

bool fits(const data::Targets& targets) { return targets.type == data::class_targets({}).type; }

/// Labels as they are, shares in f64.
Tensor exact(const Tensor& target) {
  return target.dtype() == DType::i64 ? target : cast(target, DType::f64);
}

Tensor in_top(const Tensor& logits, const Tensor& target, int64_t k) {
  return in_top_k(cast(logits, DType::f64), exact(target), k);
}

Metric top(const std::string& name, int64_t k, bool in_training) {
  return {.name = name, .in_training = in_training, .sum = [k](const Tensor& x, const Tensor& t) {
            return sum(in_top(x, t, k));
          }};
}

/// The labels one-hot, or shares: f64[N, K].
Tensor shares(const Tensor& logits, const Tensor& target) {
  return target.dtype() == DType::i64 ? one_hot(target, logits.dim(1), DType::f64) : exact(target);
}

/// [3, K]: the samples of each class, the correct ones among them, and how often it was predicted.
Tensor class_counts(const Tensor& logits, const Tensor& target) {
  const Tensor own = shares(logits, target);
  const Tensor right = reshape(in_top(logits, target, 1), {logits.dim(0), 1});
  const Tensor predicted = one_hot(argmax(logits), logits.dim(1), DType::f64);
  return concat({sum(own, {0}, true), sum(own * right, {0}, true), sum(predicted, {0}, true)}, 0);
}

Table class_table(const std::vector<std::string>& names, const Array& counts) {
  Table table{.name = "per_class",
              .rows_are = "class",
              .columns = {"count", "correct", "accuracy", "precision", "recall", "f1"},
              .rows = {},
              .counts = 2};
  const auto ratio = [](double a, double b) { return b == 0 ? 0 : a / b; };
  const int64_t classes = counts.dim(1);
  for (int64_t k = 0; k < classes; ++k) {
    const double count = counts.at(k), correct = counts.at(classes + k),
                 predicted = counts.at(2 * classes + k);
    table.rows.push_back({names[static_cast<size_t>(k)],
                          {count, correct, ratio(correct, count), ratio(correct, predicted),
                           ratio(correct, count), ratio(2 * correct, count + predicted)}});
  }
  return table;
}

constexpr int64_t bins = 15;

/// [3, bins]: samples, the sum of their confidences, and the correct ones. A confidence belongs to
/// the bin with the nearest centre.
Tensor bin_counts(const Tensor& logits, const Tensor& target) {
  const int64_t n = logits.dim(0);
  Array middles(DType::f64, {1, bins});
  for (int64_t b = 0; b < bins; ++b)
    middles.set(b, (static_cast<double>(b) + 0.5) / static_cast<double>(bins));
  const Tensor confidence = max(softmax(cast(logits, DType::f64)), {1}, true);
  const Tensor distance = confidence - logits.graph().constant(middles);
  const Tensor in_bin = one_hot(argmax(-(distance * distance)), bins, DType::f64);
  const Tensor right = reshape(in_top(logits, target, 1), {n, 1});
  return concat(
      {sum(in_bin, {0}, true), sum(in_bin * confidence, {0}, true), sum(in_bin * right, {0}, true)},
      0);
}

double calibration_error(const Array& counts, int64_t count) {
  double error = 0;
  for (int64_t b = 0; b < bins; ++b)
    error += std::abs(counts.at(bins + b) - counts.at(2 * bins + b));
  return error / static_cast<double>(count);
}

constexpr int64_t most_confusable = 2048;

/// [N, 2]: the true class and the predicted one.
Tensor class_pairs(const Tensor& logits, const Tensor& target) {
  const Tensor label = target.dtype() == DType::i64 ? target : argmax(target);
  const auto column = [&](const Tensor& classes) {
    return reshape(cast(classes, DType::f64), {logits.dim(0), 1});
  };
  return concat({column(label), column(argmax(logits))}, 1);
}

Table confusion_of_pairs(const std::vector<std::string>& names, const Array& pairs) {
  Table table = confusion_table(names);
  for (int64_t i = 0; i < pairs.dim(0); ++i) {
    const auto row = static_cast<size_t>(pairs.at(2 * i));
    ++table.rows[row].second[static_cast<size_t>(pairs.at(2 * i + 1))];
  }
  return table;
}

std::vector<int64_t> samples_per_class(const data::Dataset& samples) {
  std::vector<int64_t> counts(samples.targets().names.size());
  for (int64_t i = 0; i < samples.size(); ++i)
    ++counts[static_cast<size_t>(data::class_of(samples, i))];
  return counts;
}

}  // namespace

Entry classification_entry() {
  return {.name = std::string(Classification::id),
          .help = "one class of several: cross-entropy; accuracy, top5",
          .fits = fits,
          .make = [](const data::Targets& targets,
                     const Arguments&) { return std::make_unique<Classification>(targets); },
          .targets =
              [](int64_t outputs, std::vector<std::string> names) {
                return data::class_targets(numbered(std::move(names), outputs));
              }};
}

Classification::Classification(data::Targets targets) : targets_(std::move(targets)) {
  if (fits(targets_)) return;
  throw Error(ErrorKind::usage, "classify: targets must be classes, i64[]")
      .with("found", to_string(targets_.type));
}

Tensor Classification::loss(const Tensor& output, const Tensor& target,
                            const LossOptions& options) const {
  CrossEntropyOptions entropy{.label_smoothing = options.label_smoothing};
  if (!options.class_weights.empty()) {
    entropy.class_weights =
        output.graph().constant(Array::of(options.class_weights).astype(output.dtype()));
  }
  return cross_entropy(output, target, entropy);
}

std::vector<double> Classification::balanced_weights(const data::Dataset& samples) const {
  const std::vector<int64_t> counts = samples_per_class(samples);
  const auto present = std::ranges::count_if(counts, [](int64_t count) { return count > 0; });
  std::vector<double> weights;
  for (const int64_t count : counts) {
    weights.push_back(count == 0 ? 0
                                 : static_cast<double>(samples.size()) /
                                       static_cast<double>(present * count));
  }
  return weights;
}

std::vector<Metric> Classification::metrics() const {
  std::vector<Metric> all{top("accuracy", 1, true),
                          top("top5", 5, false),
                          {.name = "loss",
                           .better = Better::smaller,
                           .in_training = false,
                           .sum =
                               [](const Tensor& x, const Tensor& t) {
                                 return cross_entropy(cast(x, DType::f64), exact(t)) *
                                        static_cast<double>(x.dim(0));
                               }},
                          {.name = "ece",
                           .better = Better::smaller,
                           .in_training = false,
                           .sum = bin_counts,
                           .value = calibration_error},
                          {.name = "per_class",
                           .in_training = false,
                           .sum = class_counts,
                           .table = [names = targets_.names](const Array& counts, int64_t) {
                             return class_table(names, counts);
                           }}};
  if (outputs() <= most_confusable) {
    all.push_back(
        {.name = "confusion",
         .in_training = false,
         .table = [names = targets_.names](const Array& pairs,
                                           int64_t) { return confusion_of_pairs(names, pairs); },
         .rows = class_pairs});
  }
  return all;
}

std::string Classification::guessing(const data::Dataset& samples, double loss,
                                     const Numbers& measured) const {
  const double guess = std::log(static_cast<double>(outputs()));
  if (loss < 0.98 * guess) return "";
  const std::vector<int64_t> counts = samples_per_class(samples);
  const double most_frequent =
      static_cast<double>(*std::ranges::max_element(counts)) / static_cast<double>(samples.size());
  if (find(measured, "accuracy").value_or(0) > 1.2 * most_frequent) return "";
  return fmt::format("ln({}) = {}", counts.size(), format_number(std::round(guess * 1e3) / 1e3));
}

/// [N, 2K]: probabilities, and the logits by which they are ordered: these also distinguish what
/// rounds to the same probability, as accuracy does.
Tensor Classification::decoded(const Tensor& output) const {
  const Tensor x = cast(output, DType::f64);
  return concat({softmax(x), x}, 1);
}

std::vector<int64_t> Classification::ranked(const Array& decoded, int64_t i,
                                            int64_t maximum) const {
  const int64_t classes = decoded.dim(1) / 2;
  const auto logit = [&](int64_t k) { return decoded.at((2 * i + 1) * classes + k); };
  std::vector<int64_t> order(static_cast<size_t>(classes));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto shown = order.begin() + std::clamp<int64_t>(maximum, 0, classes);
  std::ranges::partial_sort(order, shown, [&](int64_t a, int64_t b) {
    return logit(a) > logit(b) || (logit(a) == logit(b) && a < b);
  });
  order.erase(shown, order.end());
  return order;
}

std::string Classification::class_name(int64_t k) const {
  return k < std::ssize(targets_.names) ? targets_.names[static_cast<size_t>(k)]
                                        : std::to_string(k);
}

std::unique_ptr<Prediction> Classification::predict(const Array& decoded, int64_t i,
                                                    int64_t maximum) const {
  auto prediction = std::make_unique<ClassPrediction>();
  for (const int64_t k : ranked(decoded, i, maximum))
    prediction->classes.emplace_back(class_name(k), decoded.at(i * decoded.dim(1) + k));
  return prediction;
}

Cells Classification::scored(const Array& decoded, const Array& targets, int64_t i) const {
  const auto label = static_cast<int64_t>(targets.at(i));
  Cells cells{{"target", class_name(label)}};
  for (auto& cell : predict(decoded, i, 1)->cells()) cells.push_back(std::move(cell));
  cells.emplace_back("correct", ranked(decoded, i, 1)[0] == label ? "1" : "0");
  return cells;
}

std::string ClassPrediction::text() const { return probability_text(classes); }

Json ClassPrediction::json() const { return numbers_json("classes", "probability", classes); }

Cells ClassPrediction::cells() const {
  Cells cells;
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::string place = i == 0 ? "" : fmt::format("_{}", i + 1);
    cells.emplace_back("prediction" + place, classes[i].first);
    cells.emplace_back("probability" + place, format_number(classes[i].second));
  }
  return cells;
}

}  // namespace fovea::tasks
