#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/draw/canvas.h"

namespace fovea::draw {

/// Colours for numbers from 0 to 1, interpolated linearly between anchors at equal distances.
struct Colormap {
  std::string_view name;
  std::vector<Color> anchors;
  bool diverging = false;  ///< made for values around a centre: scale them with `symmetric`

  /// The colour of `value`, clamped to 0 to 1; a neutral gray if it is not a number.
  Color operator()(double value) const;
};

/// viridis, magma, inferno (Smith and van der Walt's for matplotlib, 2015, at ten places), gray,
/// coolwarm (Moreland 2009, at nine places) and jet (MATLAB's formula, at nine places).
std::span<const Colormap> colormaps();
/// Errors: usage for an unknown name, with the nearest names.
const Colormap& colormap(std::string_view name);
/// "viridis", "magma", ...
std::vector<std::string> colormap_names();

/// What is drawn with the first colour of a map, and what with the last.
struct Range {
  double low = 0, high = 1;

  /// Where `value` lies from low to high, 0 to 1; 0.5 if low equals high, NaN if it is not finite.
  double operator()(double value) const;
  bool operator==(const Range&) const = default;
};

/// The smallest and the largest finite value; {0, 0} if there is none.
Range min_max(std::span<const float> values);
/// -m to m, where m is the largest finite absolute value.
Range symmetric(std::span<const float> values);

}  // namespace fovea::draw
