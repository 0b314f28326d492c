#pragma once

#include <string>
#include <vector>

#include "fovea/draw/chart.h"

namespace fovea::draw {

/// A confusion matrix: a row and a column for each name, a cell bluer the larger its share of its
/// row. Up to 40 names, cells show their counts and are named. Errors: usage when there is no name,
/// or the counts are not one row and one column for each.
Chart confusion_chart(const std::vector<std::string>& names,
                      const std::vector<std::vector<double>>& counts);

}  // namespace fovea::draw
