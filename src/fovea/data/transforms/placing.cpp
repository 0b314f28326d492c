#include "fovea/data/transforms/placing.h"

#include <algorithm>
#include <cmath>

#include "fovea/data/moves.h"

namespace fovea::data {

Type Placing::output(const Type& input) const {
  require_colors(text_, input);
  return input;
}

MinimumSize Placing::minimum_size(const MinimumSize& wanted) const {
  const auto of = [&](int side) {
    return static_cast<int>(std::min(std::ceil(side * std::max(largest_, 1.0)), 1e9));
  };
  return {of(wanted.height), of(wanted.width)};
}

Sample fitted(Sample sample, int64_t height, int64_t width, double scale) {
  const auto own_height = static_cast<double>(sample.input.dim(0)),
             own_width = static_cast<double>(sample.input.dim(1));
  const double factor = scale * std::min(static_cast<double>(height) / own_height,
                                         static_cast<double>(width) / own_width);
  const auto side = [&](double own) {
    return std::max(static_cast<int>(std::lround(own * factor)), 1);
  };
  resize(sample, side(own_height), side(own_width));
  return sample;
}

}  // namespace fovea::data
