#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea::data {
class Dataset;
}

namespace fovea::tasks {

/// Named numbers, in the order in which they are shown.
using Numbers = std::vector<std::pair<std::string, double>>;

/// The number of that name, if any.
std::optional<double> find(const Numbers& numbers, std::string_view name);

/// The details of a metric beyond one number, such as a row per class.
struct Table {
  std::string name;                  ///< "per_class"
  std::string rows_are;              ///< heading of the names: "class"
  std::vector<std::string> columns;  ///< "count", "correct", "accuracy"
  std::vector<std::pair<std::string, std::vector<double>>> rows;
  size_t counts = 0;    ///< how many of the first columns are counts of samples
  bool matrix = false;  ///< columns are the same as rows: how often one was mistaken for another
};

/// How often classes were mistaken for one another, all counts 0: rows are the true classes.
Table confusion_table(const std::vector<std::string>& names);

/// The rows as text, each beginning with its name: counts with separators, other numbers with four
/// decimals.
std::vector<std::vector<std::string>> text_rows(const Table& table);
/// The most frequent mistakes in a matrix, at most `maximum`: the row's name, the column's, and how
/// often.
std::vector<std::vector<std::string>> most_confused(const Table& matrix, size_t maximum = 10);

/// Which values are better.
enum class Better : uint8_t { larger, smaller };

/// A measure of a net's outputs against their targets: a sum over the samples or, if all samples
/// are needed at once, a row for each of them; built from ops, compiled into the Program that
/// computes the outputs, and a number computed from it at the end.
struct Metric {
  std::string name;  ///< "accuracy"
  Better better = Better::larger;
  bool in_training = true;  ///< also over training batches, each with its step's weights; sums only
  /// The sum over a batch, f64 of any shape: the sums of batches are added. `output` is the net's;
  /// its graph has the other outputs by name.
  std::function<Tensor(const Tensor& output, const Tensor& target)> sum = {};
  /// The number, from the sum over all `count` samples, or their rows. By default the mean: sum /
  /// count. None for a metric that is only a table.
  std::function<std::optional<double>(const Array& sum, int64_t count)> value = {};
  std::function<Table(const Array& sum, int64_t count)> table = {};
  /// Instead of `sum`, for rankings and the like: a row for each sample, [N, ...]. Those of all
  /// batches are concatenated in order and held in memory until the end: keep rows small, such as
  /// two f32 per label. Needs `value` or `table`; never measured in training.
  std::function<Tensor(const Tensor& output, const Tensor& target)> rows = {};
  /// Writes into the rows of the samples from `first` on what the data set knows of them besides
  /// their targets. None: the rows are complete.
  std::function<void(Array& rows, const data::Dataset& samples, int64_t first)> complete = {};
  /// Instead of `sum` and `rows`: the name of a metric before it in the list, from whose sum or
  /// rows its `value` and `table` are computed too. Never measured in training.
  std::string of = {};
};

/// The metrics that have a sum or rows of their own.
std::vector<Metric> with_own(const std::vector<Metric>& metrics);

/// The metrics that are measured on training batches and saved in checkpoints.
std::vector<Metric> in_training(const std::vector<Metric>& metrics);

/// Metrics over many batches: accumulates the sums and rows computed by Programs.
class Measures {
 public:
  /// `samples`: the expected number, if known, so that memory for the rows is allocated once.
  explicit Measures(std::vector<Metric> metrics, int64_t samples = 0);

  const std::vector<Metric>& metrics() const { return metrics_; }
  /// Adds the sums or rows of one batch of `count` samples, in the order of the metrics that have
  /// their own.
  void add(const std::vector<Array>& values, int64_t count);
  /// Resets all sums.
  void clear();

  int64_t count() const { return count_; }
  /// The metrics that are numbers; NaN without samples.
  Numbers numbers() const;
  std::vector<Table> tables() const;

  /// The sums as one line of text, and back, to the same bits. Errors: usage when a metric has
  /// rows; when parsing, model for a malformed line.
  std::string text() const;
  void parse(std::string_view text);

 private:
  void add_rows(size_t metric, const Array& rows, int64_t count);
  /// The sum of a metric, or its rows so far.
  Array gathered(size_t metric) const;

  std::vector<Metric> metrics_;
  int64_t samples_;
  /// Of each metric that has its own, after the first batch; rows have spare capacity.
  std::vector<Array> sums_;
  int64_t count_ = 0;
};

}  // namespace fovea::tasks
