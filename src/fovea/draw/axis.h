#pragma once

#include "fovea/draw/chart.h"

namespace fovea::draw {

/// An axis of Lines: where a value lies from 0 to 1, and its ticks.
struct Axis {
  Range range;
  bool log = false, whole = false;

  /// NaN for a value that is not positive on a log axis.
  double operator()(double value) const;
  Ticks ticks(int count) const;
};

/// The axis that shows all values of the series, or the range that is given.
Axis axis_of(const Lines& lines, bool horizontal);

}  // namespace fovea::draw
