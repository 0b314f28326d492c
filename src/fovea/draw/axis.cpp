#include "fovea/draw/axis.h"

#include <algorithm>
#include <cmath>

namespace fovea::draw {

double Axis::operator()(double value) const {
  if (!log) return range(value);
  return value > 0 ? Range{std::log(range.low), std::log(range.high)}(std::log(value))
                   : std::nan("");
}

Ticks Axis::ticks(int count) const {
  return log ? log_ticks(range.low, range.high) : nice_ticks(range.low, range.high, count, whole);
}

Axis axis_of(const Lines& lines, bool horizontal) {
  Axis axis{.range = {HUGE_VAL, -HUGE_VAL},
            .log = (horizontal ? lines.x_scale : lines.y_scale) == AxisScale::log,
            .whole = horizontal && lines.whole_x};
  const std::optional<Range>& fixed = horizontal ? lines.x_range : lines.y_range;
  for (const Series& s : lines.series) {
    for (const double value : horizontal ? s.x : s.y) {
      if (!std::isfinite(value) || (axis.log && value <= 0)) continue;
      axis.range.low = std::min(axis.range.low, value);
      axis.range.high = std::max(axis.range.high, value);
    }
  }
  if (axis.range.low > axis.range.high) axis.range = {axis.log ? 0.1 : 0, 1};
  if (fixed && (!axis.log || fixed->low > 0)) {
    axis.range = *fixed;
  } else if (!horizontal) {  // room above and below
    const Range r = axis.range;
    const double room = 0.05 * (r.high - r.low), ratio = std::pow(r.high / r.low, 0.05);
    axis.range =
        axis.log ? Range{r.low / ratio, r.high * ratio} : Range{r.low - room, r.high + room};
    if (!axis.log && r.low >= 0 && axis.range.low < 0) axis.range.low = 0;
  }
  if (axis.range.low == axis.range.high) {
    const double size = std::max(std::abs(axis.range.low) * 0.5, 1e-3);
    axis.range = axis.log ? Range{axis.range.low / 2, axis.range.high * 2}
                          : Range{axis.range.low - size, axis.range.high + size};
  }
  return axis;
}

}  // namespace fovea::draw
