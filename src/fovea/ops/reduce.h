#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Sums, means and maxima of a float value over some of its axes (negative ones count from the end;
/// an axis named twice counts once). With `keep_axes` those stay, of size 1, so that the result
/// broadcasts against x; else they go. The mean of none is NaN; of equal maxima the first in
/// row-major order gets the gradient. Errors: usage when there is no such axis, x is of an integer
/// type, or, for the maximum, an axis to reduce has no elements.
Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
Tensor max(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);

}  // namespace fovea
