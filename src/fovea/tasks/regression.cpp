#include "fovea/tasks/regression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/tasks/builtin.h"

namespace fovea::tasks {
namespace {

bool are_numbers(const data::Targets& targets) {
  return targets.type.dtype == DType::f32 && targets.type.rank() == 1 && targets.type.dim(0) > 0;
}

/// [4, K], over the samples: (y - t)^2, |y - t|, t, t^2.
Tensor moments(const Tensor& output, const Tensor& target) {
  const Tensor t = cast(target, DType::f64), y = cast(output, DType::f64);
  return concat({sum(mse_loss(y, t, Reduction::none), {0}, true),
                 sum(smooth_l1_loss(y, t, 0, Reduction::none), {0}, true), sum(t, {0}, true),
                 sum(t * t, {0}, true)},
                0);
}

double r2_of(const Array& m, int64_t k, int64_t count) {
  const int64_t numbers = m.dim(1);
  const double errors = m.at(k), sum = m.at(2 * numbers + k), squares = m.at(3 * numbers + k);
  const double spread = squares - sum * sum / static_cast<double>(count);
  if (spread <= 1e-12 * squares) return errors <= 1e-12 * squares ? 1 : 0;
  return 1 - errors / spread;
}

/// The mean of `of(k)` over the numbers.
template <class Of>
double mean_of(const Array& m, const Of& of) {
  double sum = 0;
  for (int64_t k = 0; k < m.dim(1); ++k) sum += of(k);
  return sum / static_cast<double>(m.dim(1));
}

Table number_table(const std::vector<std::string>& names, const Array& m, int64_t count) {
  Table table{
      .name = "per_number", .rows_are = "number", .columns = {"r2", "rmse", "mae"}, .rows = {}};
  const auto n = static_cast<double>(count);
  for (int64_t k = 0; k < m.dim(1); ++k) {
    table.rows.push_back({names[static_cast<size_t>(k)],
                          {r2_of(m, k, count), std::sqrt(m.at(k) / n), m.at(m.dim(1) + k) / n}});
  }
  return table;
}

}  // namespace

Entry regression_entry() {
  return {.name = std::string(Regression::id),
          .help = "numbers: mean squared error; r2, mae",
          .fits = are_numbers,
          .make = [](const data::Targets& targets, const Arguments&) {
            return std::make_unique<Regression>(targets);
          }};
}

Regression::Regression(data::Targets targets) : targets_(std::move(targets)) {
  if (!are_numbers(targets_)) {
    throw Error(ErrorKind::usage, "regress: targets must be numbers, f32[K]")
        .with("found", to_string(targets_.type));
  }
  targets_.names = numbered(std::move(targets_.names), outputs());
}

Tensor Regression::loss(const Tensor& output, const Tensor& target,
                        const LossOptions& options) const {
  if (options.label_smoothing != 0) {
    throw Error(ErrorKind::usage, "regress: numbers have no labels to smooth")
        .with("found", fmt::format("label_smoothing {}", format_number(options.label_smoothing)));
  }
  return mse_loss(output, cast(target, output.dtype()));
}

std::vector<Metric> Regression::metrics() const {
  const auto per_sample = [](const Array& m, int64_t row, int64_t count) {
    return mean_of(m, [&](int64_t k) { return m.at(row * m.dim(1) + k); }) /
           static_cast<double>(count);
  };
  return {{.name = "r2",
           .sum = moments,
           .value = [](const Array& m, int64_t count) -> std::optional<double> {
             return mean_of(m, [&](int64_t k) { return r2_of(m, k, count); });
           },
           .table = [names = targets_.names](
                        const Array& m, int64_t count) { return number_table(names, m, count); }},
          {.name = "loss",
           .better = Better::smaller,
           .in_training = false,
           .sum = moments,
           .value = [per_sample](const Array& m, int64_t count) -> std::optional<double> {
             return per_sample(m, 0, count);
           }},
          {.name = "mae",
           .better = Better::smaller,
           .sum = moments,
           .value = [per_sample](const Array& m, int64_t count) -> std::optional<double> {
             return per_sample(m, 1, count);
           }}};
}

std::unique_ptr<Prediction> Regression::predict(const Array& decoded, int64_t i, int64_t) const {
  auto prediction = std::make_unique<NumbersPrediction>();
  for (int64_t k = 0; k < outputs(); ++k) {
    prediction->numbers.emplace_back(targets_.names[static_cast<size_t>(k)],
                                     decoded.at(i * outputs() + k));
  }
  return prediction;
}

Cells Regression::scored(const Array& decoded, const Array& targets, int64_t i) const {
  Cells cells;
  for (int64_t k = 0; k < outputs(); ++k) {
    cells.emplace_back("target " + targets_.names[static_cast<size_t>(k)],
                       format_number(targets.at(i * outputs() + k)));
  }
  for (auto& cell : predict(decoded, i, outputs())->cells()) cells.push_back(std::move(cell));
  return cells;
}

std::string NumbersPrediction::text() const {
  size_t width = 0;
  for (const auto& [name, value] : numbers) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : numbers) {
    char number[32];
    std::snprintf(number, sizeof number, "%10.4g", value);
    text += "  " + name + std::string(width - name.size(), ' ') + "  " + number + "\n";
  }
  return text;
}

Json NumbersPrediction::json() const { return numbers_json("numbers", "value", numbers); }

Cells NumbersPrediction::cells() const {
  Cells cells;
  for (const auto& [name, value] : numbers) cells.emplace_back(name, format_number(value));
  return cells;
}

}  // namespace fovea::tasks
