#pragma once

#include <vector>

namespace fovea::draw {

/// Whether character `letter`, printable ASCII, is dark at (y, x) of its 5x9.
bool is_dark(char letter, int y, int x);

/// A letter as lines between the centres of its dark pixels; a pixel without a dark neighbour is a
/// line of no length.
struct Stroke {
  double y0, x0, y1, x1;
};
const std::vector<Stroke>& strokes(char letter);

}  // namespace fovea::draw
