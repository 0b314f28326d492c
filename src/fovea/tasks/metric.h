#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea::tasks {

/// Numbers with names, in the order in which they are shown.
using Numbers = std::vector<std::pair<std::string, double>>;

/// The number of that name; nothing when there is none.
std::optional<double> find(const Numbers& numbers, std::string_view name);

/// What a metric says beyond one number: a row for each class, say.
struct Table {
  std::string name;                  ///< "per_class"
  std::string rows_are;              ///< heading of the names: "class"
  std::vector<std::string> columns;  ///< "count", "correct", "accuracy"
  std::vector<std::pair<std::string, std::vector<double>>> rows;
  size_t counts = 0;    ///< so many of the first columns are counts of samples
  bool matrix = false;  ///< columns are what rows are: how often one was taken for another
};

/// Which values are better.
enum class Better : uint8_t { larger, smaller };

/// A measure of a net's outputs against their targets: a sum over the samples or, where all samples
/// are needed at once, a row for each of them; built of ops, compiled into the Program that
/// computes the outputs, and what is made of it at the end.
struct Metric {
  std::string name;  ///< "accuracy"
  Better better = Better::larger;
  bool in_training =
      true;  ///< also of the batches of training, as the weights were then; sums only
  /// The sum over a batch, f64 of any shape: sums of batches are added. `output` is the net's; its
  /// graph has the other outputs by name.
  std::function<Tensor(const Tensor& output, const Tensor& target)> sum = {};
  /// The number, from the sum over all `count` samples, or their rows. By default the mean: sum /
  /// count. Nothing where a metric is a table only.
  std::function<std::optional<double>(const Array& sum, int64_t count)> value = {};
  std::function<Table(const Array& sum, int64_t count)> table = {};
  /// In place of `sum`, for rankings and the like: a row for each sample, [N, ...]. Those of all
  /// batches are joined, in order, and held in memory until the end: keep rows small, such as two
  /// f32 for each label. Needs `value` or `table`; never measured in training.
  std::function<Tensor(const Tensor& output, const Tensor& target)> rows = {};
};

/// The metrics that can be measured on the batches of training, which checkpoints hold.
std::vector<Metric> in_training(const std::vector<Metric>& metrics);

/// Metrics of many batches: sums and rows as they come out of Programs.
class Measures {
 public:
  /// `samples`: how many there will be, where that is known: memory for the rows is then taken
  /// once.
  explicit Measures(std::vector<Metric> metrics, int64_t samples = 0);

  const std::vector<Metric>& metrics() const { return metrics_; }
  /// Adds the sums or rows of one batch of `count` samples, in the order of the metrics.
  void add(const std::vector<Array>& values, int64_t count);
  /// Forgets all.
  void clear();

  int64_t count() const { return count_; }
  /// Those metrics that are numbers; NaN where there were no samples.
  Numbers numbers() const;
  std::vector<Table> tables() const;

  /// The sums as one line of text, and back, to the same bits. Errors: usage when a metric has
  /// rows; (back) model when it is no such line.
  std::string text() const;
  void parse(std::string_view text);

 private:
  void add_rows(size_t metric, const Array& rows, int64_t count);
  /// The sum of a metric, or the rows that there are.
  Array gathered(size_t metric) const;

  std::vector<Metric> metrics_;
  int64_t samples_;
  std::vector<Array> sums_;  ///< of each, once there was a batch; of rows, those with room for more
  int64_t count_ = 0;
};

}  // namespace fovea::tasks
