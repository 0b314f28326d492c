#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/json.h"
#include "fovea/tasks/metric.h"

namespace fovea::tasks {

/// One row of a table of texts: each cell with the heading of its column.
using Cells = std::vector<std::pair<std::string, std::string>>;

/// A prediction for one sample, for people and for programs.
class Prediction {
 public:
  virtual ~Prediction() = default;
  /// Lines that end with a newline, each indented by two spaces.
  virtual std::string text() const = 0;
  /// An object: {"classes": [...]}.
  virtual Json json() const = 0;
  /// Its row in a table. The headings are the same for every sample.
  virtual Cells cells() const = 0;
};

/// A line per probability: its name, percent and a bar.
std::string probability_text(const Numbers& probabilities);

/// {"KEY": [{"name": ..., "VALUE": ...}, ...]}.
Json numbers_json(std::string_view key, std::string_view value, const Numbers& numbers);

}  // namespace fovea::tasks
