#include "fovea/tasks/metric.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea::tasks {

std::optional<double> find(const Numbers& numbers, std::string_view name) {
  for (const auto& [known, value] : numbers) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Table confusion_table(const std::vector<std::string>& names) {
  Table table{.name = "confusion",
              .rows_are = "class",
              .columns = names,
              .rows = {},
              .counts = names.size(),
              .matrix = true};
  for (const std::string& name : names)
    table.rows.emplace_back(name, std::vector<double>(names.size()));
  return table;
}

std::vector<std::vector<std::string>> text_rows(const Table& table) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, values] : table.rows) {
    rows.push_back({name});
    for (size_t i = 0; i < values.size(); ++i) {
      rows.back().push_back(i < table.counts ? grouped(static_cast<int64_t>(values[i]))
                                             : fmt::format("{:.4f}", values[i]));
    }
  }
  return rows;
}

std::vector<std::vector<std::string>> most_confused(const Table& matrix, size_t maximum) {
  struct Pair {
    int64_t count;
    size_t row, column;
  };
  std::vector<Pair> pairs;
  for (size_t r = 0; r < matrix.rows.size(); ++r) {
    for (size_t c = 0; c < matrix.columns.size(); ++c) {
      const auto count = static_cast<int64_t>(matrix.rows[r].second[c]);
      if (r != c && count > 0) pairs.push_back({count, r, c});
    }
  }
  std::ranges::stable_sort(pairs, std::greater(), &Pair::count);
  pairs.resize(std::min(pairs.size(), maximum));
  std::vector<std::vector<std::string>> rows;
  for (const Pair& pair : pairs) {
    rows.push_back({matrix.rows[pair.row].first, matrix.columns[pair.column], grouped(pair.count)});
  }
  return rows;
}

std::vector<Metric> in_training(const std::vector<Metric>& metrics) {
  std::vector<Metric> some;
  for (const Metric& metric : metrics) {
    if (metric.in_training && metric.sum) some.push_back(metric);
  }
  return some;
}

std::vector<Metric> with_own(const std::vector<Metric>& metrics) {
  std::vector<Metric> some;
  for (const Metric& metric : metrics) {
    if (metric.of.empty()) some.push_back(metric);
  }
  return some;
}

Measures::Measures(std::vector<Metric> metrics, int64_t samples)
    : metrics_(std::move(metrics)), samples_(samples) {}

void Measures::add(const std::vector<Array>& values, int64_t count) {
  const bool first = sums_.empty();
  sums_.resize(metrics_.size());
  size_t v = 0;
  for (size_t m = 0; m < metrics_.size(); ++m) {
    if (!metrics_[m].of.empty()) continue;
    require(v < values.size(), "measures: a value per metric is expected");
    const Array& value = values[v++];
    if (metrics_[m].rows) {
      add_rows(m, value, count);
    } else if (first) {
      sums_[m] = value.clone();
    } else {
      const std::span<double> sum = sums_[m].data<double>();
      const std::span<const double> own = value.data<double>();
      for (size_t i = 0; i < own.size(); ++i) sum[i] += own[i];
    }
  }
  count_ += count;
}

void Measures::add_rows(size_t metric, const Array& rows, int64_t count) {
  Array& all = sums_[metric];
  require(rows.shape().rank() > 0 && rows.dim(0) == count,
          "measures: a row per sample is expected");
  const Shape row = rows.shape().slice(1);
  if (count_ == 0) all = Array(rows.dtype(), Shape{std::max(samples_, count)}.concat(row));
  if (all.dim(0) < count_ + count) {
    Array larger(rows.dtype(), Shape{std::max(2 * all.dim(0), count_ + count)}.concat(row));
    std::memcpy(larger.raw(), all.raw(), all.bytes());
    all = larger;
  }
  const auto row_bytes = static_cast<size_t>(row.numel()) * size_of(rows.dtype());
  std::memcpy(all.raw() + static_cast<size_t>(count_) * row_bytes, rows.raw(), rows.bytes());
}

Array Measures::gathered(size_t metric) const {
  if (const std::string& other = metrics_[metric].of; !other.empty()) {
    const auto found = std::ranges::find(metrics_, other, &Metric::name);
    require(found != metrics_.end() && found->of.empty(), "measures: no metric to compute from");
    return gathered(static_cast<size_t>(found - metrics_.begin()));
  }
  Array all = sums_[metric];
  if (!metrics_[metric].rows) return all;
  std::byte* data = all.raw();
  return {all.dtype(), Shape{count_}.concat(all.shape().slice(1)), data,
          std::make_shared<Array>(std::move(all))};
}

void Measures::clear() {
  sums_.clear();
  count_ = 0;
}

Numbers Measures::numbers() const {
  Numbers numbers;
  for (size_t m = 0; m < metrics_.size(); ++m) {
    const Metric& metric = metrics_[m];
    if (metric.table && !metric.value) continue;
    std::optional<double> value;
    if (sums_.empty()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (metric.value) {
      value = metric.value(gathered(m), count_);
    } else {
      value = sums_[m].item() / static_cast<double>(count_);
    }
    if (value) numbers.emplace_back(metric.name, *value);
  }
  return numbers;
}

std::vector<Table> Measures::tables() const {
  std::vector<Table> tables;
  for (size_t m = 0; m < sums_.size(); ++m) {
    if (metrics_[m].table) tables.push_back(metrics_[m].table(gathered(m), count_));
  }
  return tables;
}

std::string Measures::text() const {
  for (const Metric& metric : metrics_) {
    if (metric.rows) {
      throw Error(ErrorKind::usage,
                  fmt::format("measures: the rows of {} are not saved", metric.name));
    }
  }
  std::vector<std::string> words{std::to_string(count_)};
  for (const Array& sum : sums_) {
    std::string word = "[";
    for (const int64_t dim : sum.shape()) word += fmt::format("{},", dim);
    word += "]";
    for (int64_t i = 0; i < sum.numel(); ++i) word += format_number(sum.at(i)) + ",";
    words.push_back(word);
  }
  return join(words, " ");
}

void Measures::parse(std::string_view text) {
  const Error broken(ErrorKind::model,
                     fmt::format("checkpoint: \"{}\" is not a list of measures", printable(text)));
  const auto numbers = [&](std::string_view list) {
    std::vector<double> values;
    for (const std::string& part : split(list, ',')) {
      if (part.empty()) continue;
      const std::optional<double> value = parse_number(part);
      if (!value) throw broken;
      values.push_back(*value);
    }
    return values;
  };
  const std::vector<std::string> words = split(text, ' ');
  const std::vector<double> count = numbers(words[0]);
  clear();
  if (count.size() != 1 || (words.size() != 1 && words.size() != metrics_.size() + 1)) throw broken;
  std::vector<Array> sums;
  for (size_t w = 1; w < words.size(); ++w) {
    const size_t end = words[w].find(']');
    if (!words[w].starts_with('[') || end == std::string::npos) throw broken;
    std::vector<int64_t> dims;
    for (const double dim : numbers(words[w].substr(1, end - 1)))
      dims.push_back(static_cast<int64_t>(dim));
    const std::vector<double> values = numbers(words[w].substr(end + 1));
    const Shape shape{std::span<const int64_t>(dims)};
    if (shape.numel() != std::ssize(values)) throw broken;
    sums.push_back(Array::of(values, shape));
  }
  sums_ = std::move(sums);
  count_ = static_cast<int64_t>(count[0]);
}

}  // namespace fovea::tasks
