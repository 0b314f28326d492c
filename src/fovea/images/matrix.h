#pragma once

#include <string>
#include <vector>

#include "fovea/images/image.h"

namespace fovea {

/// A table of counts as a picture, RGB: a row and a column for each name, a cell bluer the larger
/// its share of its row. Up to 30 names, cells show their counts and columns are named; beyond, a
/// cell is a square of at least one pixel. Errors: usage when there is no name, or the counts are
/// not one row and one column for each.
Image draw_matrix(const std::vector<std::string>& names,
                  const std::vector<std::vector<double>>& counts);

}  // namespace fovea
