#include "fovea/tasks/multilabel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

bool are_labels(const data::Targets& targets) {
  return targets.type.dtype == DType::f32 && targets.type.rank() == 1 && targets.type.dim(0) > 0;
}

/// 1 for labels whose logit is above 0, that is, whose probability is above 0.5; else 0.
Tensor predicted(const Tensor& logits) {
  const Shape pair{logits.dim(0), 1, logits.dim(1)};
  const Tensor x = reshape(cast(logits, DType::f64), pair);
  return cast(argmax(concat({x * 0, x}, 1)), DType::f64);
}

/// The counts from which precision, recall and F1 of one or several labels are computed.
struct Counts {
  double correct = 0;    ///< predicted and present
  double predicted = 0;  ///< predicted
  double positives = 0;  ///< present

  double precision() const { return predicted == 0 ? 0 : correct / predicted; }
  double recall() const { return positives == 0 ? 0 : correct / positives; }
  double f1() const {
    return predicted + positives == 0 ? 0 : 2 * correct / (predicted + positives);
  }
};

/// [3, K], over the samples: correct, predicted, positives.
Tensor label_counts(const Tensor& output, const Tensor& target) {
  const Tensor t = cast(target, DType::f64), p = predicted(output);
  return concat({sum(p * t, {0}, true), sum(p, {0}, true), sum(t, {0}, true)}, 0);
}

Counts counts_of(const Array& sums, int64_t k) {
  const int64_t labels = sums.dim(1);
  return {sums.at(k), sums.at(labels + k), sums.at(2 * labels + k)};
}

double f1_micro(const Array& sums, int64_t) {
  Counts all;
  for (int64_t k = 0; k < sums.dim(1); ++k) {
    const Counts own = counts_of(sums, k);
    all.correct += own.correct;
    all.predicted += own.predicted;
    all.positives += own.positives;
  }
  return all.f1();
}

double f1_macro(const Array& sums, int64_t) {
  double all = 0;
  for (int64_t k = 0; k < sums.dim(1); ++k) all += counts_of(sums, k).f1();
  return all / static_cast<double>(sums.dim(1));
}

/// [N, 2K]: logits and targets.
Tensor scores_and_targets(const Tensor& output, const Tensor& target) {
  return concat({cast(output, DType::f32), cast(target, DType::f32)}, 1);
}

/// Label k of the rows of scores_and_targets.
class Ranking {
 public:
  Ranking(const Array& rows, int64_t k)
      : values_(rows.data<float>()),
        count_(rows.dim(0)),
        width_(rows.dim(1)),
        score_(k),
        target_(rows.dim(1) / 2 + k) {}

  double average_precision() const {
    std::vector<int64_t> order(static_cast<size_t>(count_));
    std::iota(order.begin(), order.end(), int64_t{0});
    const auto finite = [&](int64_t i) { return std::isfinite(score(i)); };
    if (!std::ranges::all_of(order, finite)) return std::numeric_limits<double>::quiet_NaN();
    std::ranges::sort(order, [&](int64_t a, int64_t b) { return score(a) > score(b); });
    double positives = 0, sum = 0, before = 0;
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t sample = order[static_cast<size_t>(i)];
      positives += target(sample);
      const bool last_of_equals =
          i + 1 == count_ || score(order[static_cast<size_t>(i) + 1]) < score(sample);
      if (!last_of_equals) continue;
      sum += (positives - before) * positives / static_cast<double>(i + 1);
      before = positives;
    }
    return positives == 0 ? 0 : sum / positives;
  }

  Counts counts() const {
    Counts counts;
    for (int64_t i = 0; i < count_; ++i) {
      counts.correct += score(i) > 0 ? target(i) : 0;
      counts.predicted += score(i) > 0 ? 1 : 0;
      counts.positives += target(i);
    }
    return counts;
  }

 private:
  float score(int64_t i) const { return values_[static_cast<size_t>(i * width_ + score_)]; }
  double target(int64_t i) const { return values_[static_cast<size_t>(i * width_ + target_)]; }

  std::span<const float> values_;
  int64_t count_, width_, score_, target_;
};

double mean_average_precision(const Array& rows, int64_t) {
  const int64_t labels = rows.dim(1) / 2;
  double all = 0;
  for (int64_t k = 0; k < labels; ++k) all += Ranking(rows, k).average_precision();
  return all / static_cast<double>(labels);
}

Table label_table(const std::vector<std::string>& names, const Array& rows) {
  Table table{.name = "per_label",
              .rows_are = "label",
              .columns = {"positives", "ap", "precision", "recall", "f1"},
              .rows = {},
              .counts = 1};
  for (size_t k = 0; k < names.size(); ++k) {
    const Ranking ranking(rows, static_cast<int64_t>(k));
    const Counts counts = ranking.counts();
    table.rows.push_back({names[k],
                          {counts.positives, ranking.average_precision(), counts.precision(),
                           counts.recall(), counts.f1()}});
  }
  return table;
}

}  // namespace

Entry multilabel_entry() {
  return {.name = std::string(Multilabel::id),
          .help = "several labels of 0 or 1: binary cross-entropy; mAP, f1",
          .fits = are_labels,
          .make = [](const data::Targets& targets, const Arguments&) {
            return std::make_unique<Multilabel>(targets);
          }};
}

Multilabel::Multilabel(data::Targets targets) : targets_(std::move(targets)) {
  if (!are_labels(targets_)) {
    throw Error(ErrorKind::usage, "multilabel: targets must be labels of 0 or 1, f32[K]")
        .with("found", to_string(targets_.type));
  }
  targets_.names = numbered(std::move(targets_.names), outputs());
}

void Multilabel::check(const data::Dataset& samples) const {
  for (int64_t i = 0; i < samples.size(); ++i) {
    const Array target = samples.target(i);
    for (int64_t k = 0; k < target.numel(); ++k) {
      const double value = target.at(k);
      if (value == 0 || value == 1) continue;
      throw Error(ErrorKind::data, "multilabel: a label is neither 0 nor 1")
          .with("sample", samples.name(i))
          .with("label", printable(targets_.names[static_cast<size_t>(k)]))
          .with("found", format_number(value))
          .with("try", "--task regress, if targets are numbers");
    }
  }
}

Tensor Multilabel::loss(const Tensor& output, const Tensor& target,
                        const LossOptions& options) const {
  Tensor t = cast(target, output.dtype());
  if (const double s = options.label_smoothing; s != 0) t = t * (1 - s) + s / 2;
  if (options.class_weights.empty()) return binary_cross_entropy_with_logits(output, t);
  // A present label's loss counts w times: once in the plain loss, w - 1 times more.
  std::vector<double> extra = options.class_weights;
  for (double& weight : extra) weight -= 1;
  Graph& graph = output.graph();
  const Tensor present =
      broadcast_to(graph.constant(Array::full(output.dtype(), {1, 1}, 1)), output.shape());
  const Tensor weights = graph.constant(Array::of(extra, {1, outputs()}).astype(output.dtype()));
  return mean(binary_cross_entropy_with_logits(output, t, Reduction::none) +
              binary_cross_entropy_with_logits(output, present, Reduction::none) * t * weights);
}

std::vector<double> Multilabel::balanced_weights(const data::Dataset& samples) const {
  std::vector<double> positives(static_cast<size_t>(outputs()));
  for (int64_t i = 0; i < samples.size(); ++i) {
    const Array target = samples.target(i);
    for (size_t k = 0; k < positives.size(); ++k)
      positives[k] += target.at(static_cast<int64_t>(k));
  }
  const auto count = static_cast<double>(samples.size());
  for (double& number : positives)
    number = number == 0 || number == count ? 1 : (count - number) / number;
  return positives;
}

std::vector<Metric> Multilabel::metrics() const {
  return {{.name = "mAP",
           .in_training = false,
           .value = mean_average_precision,
           .table = [names = targets_.names](const Array& rows,
                                             int64_t) { return label_table(names, rows); },
           .rows = scores_and_targets},
          {.name = "f1_micro", .sum = label_counts, .value = f1_micro},
          {.name = "f1_macro", .in_training = false, .sum = label_counts, .value = f1_macro},
          {.name = "loss",
           .better = Better::smaller,
           .in_training = false,
           .sum = [](const Tensor& x, const Tensor& t) {
             const Tensor all = binary_cross_entropy_with_logits(
                 cast(x, DType::f64), cast(t, DType::f64), Reduction::sum);
             return all / static_cast<double>(x.dim(1));
           }}};
}

/// [N, 2K]: probabilities, and the logits by which they are ordered: these also distinguish what
/// rounds to the same probability.
Tensor Multilabel::decoded(const Tensor& output) const {
  const Tensor x = cast(output, DType::f64);
  return concat({sigmoid(x), x}, 1);
}

std::unique_ptr<Prediction> Multilabel::predict(const Array& decoded, int64_t i, int64_t) const {
  const int64_t count = outputs();
  const auto logit = [&](int64_t k) { return decoded.at((2 * i + 1) * count + k); };
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return logit(a) > logit(b); });
  auto prediction = std::make_unique<LabelsPrediction>();
  for (const int64_t k : order) {
    prediction->labels.emplace_back(targets_.names[static_cast<size_t>(k)],
                                    decoded.at(2 * i * count + k));
    prediction->held += logit(k) > 0;
  }
  return prediction;
}

Cells Multilabel::scored(const Array& decoded, const Array& targets, int64_t i) const {
  std::vector<std::string> held;
  for (int64_t k = 0; k < outputs(); ++k) {
    if (targets.at(i * outputs() + k) == 1) held.push_back(targets_.names[static_cast<size_t>(k)]);
  }
  Cells cells{{"target", join(held, ";")}};
  for (auto& cell : predict(decoded, i, outputs())->cells()) cells.push_back(std::move(cell));
  return cells;
}

std::string LabelsPrediction::text() const {
  const Numbers shown(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(held));
  return shown.empty() ? "  none\n" : probability_text(shown);
}

Json LabelsPrediction::json() const {
  const Numbers shown(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(held));
  return numbers_json("labels", "probability", shown);
}

Cells LabelsPrediction::cells() const {
  std::vector<std::string> names;
  for (size_t k = 0; k < held; ++k) names.push_back(labels[k].first);
  Cells cells{{"prediction", join(names, ";")}};
  Numbers by_name = labels;
  std::ranges::sort(by_name);
  for (const auto& [name, probability] : by_name)
    cells.emplace_back(name, format_number(probability));
  return cells;
}

}  // namespace fovea::tasks
