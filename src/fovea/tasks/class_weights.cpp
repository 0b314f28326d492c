#include "fovea/tasks/class_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/csv.h"

namespace fovea::tasks {
namespace {

constexpr double largest_weight = 1e6;

/// One file of weights, and what its messages begin with.
class WeightTable {
 public:
  WeightTable(const std::string& path, const std::vector<std::string>& names)
      : path_(path), table_(data::read_csv(path)), names_(names) {
    name_ = column("name");
    weight_ = column("weight");
  }

  std::vector<double> weights() const {
    std::vector<std::optional<double>> found(names_.size());
    for (size_t r = 0; r < table_.rows.size(); ++r) {
      const std::string& name = table_.rows[r][name_];
      const auto at = std::ranges::find(names_, name);
      if (at == names_.end())
        throw bad(r, "has the unknown class \"" + printable(name) + "\"").with("classes", listed());
      std::optional<double>& weight = found[static_cast<size_t>(at - names_.begin())];
      if (weight) throw bad(r, "lists the class \"" + printable(name) + "\" again");
      weight = number(r);
    }
    std::vector<double> weights;
    for (size_t k = 0; k < names_.size(); ++k) {
      if (!found[k]) {
        throw Error(ErrorKind::data,
                    fmt::format("{}: no weight for the class \"{}\"", path_, printable(names_[k])))
            .with("expected", fmt::format("one row for each of {}", listed()));
      }
      weights.push_back(*found[k]);
    }
    if (std::ranges::all_of(weights, [](double weight) { return weight == 0; }))
      throw Error(ErrorKind::data, fmt::format("{}: all weights are 0", path_));
    return weights;
  }

 private:
  size_t column(std::string_view name) const {
    if (const auto found = table_.find(name)) return *found;
    throw Error(ErrorKind::data, fmt::format("{}: no column \"{}\"", path_, name))
        .with("found", printable(join(table_.columns)))
        .with("expected", "name,weight");
  }
  double number(size_t row) const {
    const std::string& text = table_.rows[row][weight_];
    const std::optional<double> weight = parse_number(text);
    if (weight && *weight >= 0 && *weight <= largest_weight) return *weight;
    throw bad(row,
              "has the weight \"" + printable(text) + "\"; a number from 0 to 1e6 is expected");
  }
  std::string listed() const {
    constexpr size_t shown = 20;
    std::vector<std::string> names;
    for (const std::string& name : names_) names.push_back(printable(name));
    if (names.size() <= shown) return join(names);
    const std::string rest = " and " + std::to_string(names.size() - shown) + " more";
    names.resize(shown);
    return join(names) + rest;
  }
  Error bad(size_t row, const std::string& what) const {
    return {ErrorKind::data, path_ + ": line " + std::to_string(table_.lines[row]) + " " + what};
  }

  std::string path_;
  data::CsvTable table_;
  const std::vector<std::string>& names_;
  size_t name_ = 0, weight_ = 0;
};

}  // namespace

std::vector<double> class_weights(std::string_view text, const Task& task,
                                  const data::Dataset& samples) {
  if (text.empty()) return {};
  std::vector<double> balanced = task.balanced_weights(samples);
  if (balanced.empty()) {
    throw Error(
        ErrorKind::usage,
        fmt::format("--class-weights: the task {} has neither classes nor labels", task.name()))
        .with("try", "no --class-weights");
  }
  if (text == "balanced") return balanced;
  return WeightTable(std::string(text), task.targets().names).weights();
}

std::string class_weights_text(const std::vector<double>& weights, const Task& task) {
  std::vector<std::string> words;
  for (size_t k = 0; k < weights.size(); ++k)
    words.push_back(fmt::format("{} {:.4g}", printable(task.targets().names[k]), weights[k]));
  return join(words);
}

}  // namespace fovea::tasks
