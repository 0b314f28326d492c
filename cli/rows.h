#pragma once

#include <string>

#include "fovea/tasks/prediction.h"

namespace fovea::cli {

/// A CSV file under way: a line for each sample, whose path comes first, below the headings of the
/// first one's cells.
class Rows {
 public:
  void add(const std::string& path, const tasks::Cells& cells);
  /// Errors: io.
  void write(const std::string& file) const;
  int64_t count() const { return count_; }

 private:
  std::string text_;
  int64_t count_ = 0;
};

}  // namespace fovea::cli
