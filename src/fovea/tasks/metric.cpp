#include "fovea/tasks/metric.h"

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

Measures::Measures(std::vector<Metric> metrics) : metrics_(std::move(metrics)) {}

void Measures::add(const std::vector<Array>& sums, int64_t count) {
  require(sums.size() == metrics_.size(), "measures: one sum of each metric is expected");
  count_ += count;
  if (sums_.empty()) {
    for (const Array& sum : sums) sums_.push_back(sum.clone());
    return;
  }
  for (size_t m = 0; m < sums.size(); ++m) {
    for (int64_t i = 0; i < sums[m].numel(); ++i) sums_[m].set(i, sums_[m].at(i) + sums[m].at(i));
  }
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
      value = metric.value(sums_[m], count_);
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
    if (metrics_[m].table) tables.push_back(metrics_[m].table(sums_[m], count_));
  }
  return tables;
}

std::string Measures::text() const {
  std::vector<std::string> words{std::to_string(count_)};
  for (const Array& sum : sums_) {
    std::string word = "[";
    for (const int64_t dim : sum.shape()) word += std::to_string(dim) + ",";
    word += "]";
    for (int64_t i = 0; i < sum.numel(); ++i) word += format_number(sum.at(i)) + ",";
    words.push_back(word);
  }
  return join(words, " ");
}

void Measures::parse(std::string_view text) {
  const Error broken(ErrorKind::model, "checkpoint: \"" + printable(text) + "\" are no measures");
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
