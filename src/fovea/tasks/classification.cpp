#include "fovea/tasks/classification.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
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

/// [2, K]: the samples of each class, and those that were right.
Tensor class_counts(const Tensor& logits, const Tensor& target) {
  const int64_t classes = logits.dim(1);
  const Tensor own = target.dtype() == DType::i64 ? one_hot(target, classes, DType::f64)
                                                  : cast(target, DType::f64);
  const Tensor right = reshape(in_top(logits, target, 1), {logits.dim(0), 1});
  return concat({sum(own, {0}, true), sum(own * right, {0}, true)}, 0);
}

Table class_table(const std::vector<std::string>& names, const Array& counts) {
  Table table{.name = "per_class",
              .rows_are = "class",
              .columns = {"count", "correct", "accuracy"},
              .rows = {}};
  const int64_t classes = counts.dim(1);
  for (int64_t k = 0; k < classes; ++k) {
    const double count = counts.at(k), correct = counts.at(classes + k);
    table.rows.push_back(
        {names[static_cast<size_t>(k)], {count, correct, count == 0 ? 0 : correct / count}});
  }
  return table;
}

}  // namespace

Entry classification_entry() {
  return {.name = std::string(Classification::id),
          .help = "one class of several: cross-entropy; accuracy, top5",
          .fits = fits,
          .make = [](const data::Targets& targets) {
            return std::make_unique<Classification>(targets);
          }};
}

Classification::Classification(data::Targets targets) : targets_(std::move(targets)) {
  if (fits(targets_)) return;
  throw Error(ErrorKind::usage, "classify: targets are classes, i64[]")
      .with("found", to_string(targets_.type));
}

Tensor Classification::loss(const Tensor& output, const Tensor& target,
                            const LossOptions& options) const {
  return cross_entropy(output, target, {.label_smoothing = options.label_smoothing});
}

std::vector<Metric> Classification::metrics() const {
  return {top("accuracy", 1, true),
          top("top5", 5, false),
          {.name = "loss",
           .better = Better::smaller,
           .in_training = false,
           .sum =
               [](const Tensor& x, const Tensor& t) {
                 return cross_entropy(cast(x, DType::f64), exact(t)) *
                        static_cast<double>(x.dim(0));
               }},
          {.name = "per_class",
           .in_training = false,
           .sum = class_counts,
           .table = [names = targets_.names](const Array& counts, int64_t) {
             return class_table(names, counts);
           }}};
}

std::string Classification::guessing(const data::Dataset& samples, double loss,
                                     const Numbers& measured) const {
  std::vector<int64_t> counts(targets_.names.size());
  const double guess = std::log(static_cast<double>(counts.size()));
  if (loss < 0.98 * guess) return "";
  for (int64_t i = 0; i < samples.size(); ++i)
    ++counts[static_cast<size_t>(data::class_of(samples, i))];
  const double most_frequent =
      static_cast<double>(*std::ranges::max_element(counts)) / static_cast<double>(samples.size());
  if (find(measured, "accuracy").value_or(0) > 1.2 * most_frequent) return "";
  return "ln(" + std::to_string(counts.size()) +
         ") = " + format_number(std::round(guess * 1e3) / 1e3);
}

Tensor Classification::decoded(const Tensor& output) const {
  return softmax(cast(output, DType::f64));
}

std::unique_ptr<Prediction> Classification::predict(const Array& decoded, int64_t i,
                                                    int64_t most) const {
  const int64_t classes = decoded.dim(1);
  std::vector<int64_t> order(static_cast<size_t>(classes));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto p = [&](int64_t k) { return decoded.at(i * classes + k); };
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return p(a) > p(b); });
  order.resize(static_cast<size_t>(std::clamp<int64_t>(most, 0, classes)));
  auto prediction = std::make_unique<ClassPrediction>();
  for (const int64_t k : order) {
    prediction->classes.emplace_back(
        k < std::ssize(targets_.names) ? targets_.names[static_cast<size_t>(k)] : std::to_string(k),
        p(k));
  }
  return prediction;
}

std::string ClassPrediction::text() const {
  constexpr int bar = 20;
  size_t width = 0;
  for (const auto& [name, probability] : classes) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, probability] : classes) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%6.2f%%", 100 * probability);
    std::string line = "  " + name + std::string(width - name.size(), ' ') + "  " + percent + "  " +
                       std::string(static_cast<size_t>(std::lround(probability * bar)), '#');
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string ClassPrediction::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [name, probability] : classes) {
    list.push_back({{"name", name}, {"probability", probability}});
  }
  return nlohmann::json{{"classes", list}}.dump(-1, ' ', false,
                                                nlohmann::json::error_handler_t::replace);
}

}  // namespace fovea::tasks
