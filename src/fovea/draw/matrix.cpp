#include "fovea/draw/matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"

namespace fovea::draw {

Chart confusion_chart(const std::vector<std::string>& names,
                      const std::vector<std::vector<double>>& counts) {
  const auto complete = [&](const auto& row) { return row.size() == names.size(); };
  if (names.empty() || counts.size() != names.size() || !std::ranges::all_of(counts, complete)) {
    throw Error(ErrorKind::usage, "confusion matrix: a row and a column for each name are expected")
        .with("names", std::to_string(names.size()))
        .with("rows", std::to_string(counts.size()));
  }
  Matrix matrix{.rows = names,
                .columns = names,
                .row_label = "class",
                .column_label = "prediction",
                .range = Range{0, 1}};
  for (const std::vector<double>& row : counts) {
    const double total = std::accumulate(row.begin(), row.end(), 0.0);
    std::vector<double> shares;
    std::vector<std::string> texts;
    for (const double count : row) {
      shares.push_back(total > 0 ? count / total : 0);
      texts.push_back(std::to_string(std::llround(count)));
    }
    matrix.values.push_back(std::move(shares));
    matrix.texts.push_back(std::move(texts));
  }
  return {.panels = {{.content = std::move(matrix)}}};
}

}  // namespace fovea::draw
