#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Sums, means and maxima of a float value over some of its axes (negative ones count from the end;
/// an axis named twice counts once). With `keep_axes` they stay, with size 1, so that the result
/// broadcasts with x; else they are removed. The mean of no elements is NaN; of equal maxima the
/// first in row-major order gets the gradient. Errors: usage when there is no such axis, x is of an
/// integer type, or, for the maximum, an axis to reduce has no elements.
Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
Tensor max(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);

/// y = the sum of x^2 over all elements, an f64 scalar for any type of x: squared and added in
/// float64, so that neither large nor many numbers make a norm inaccurate.
struct SumOfSquares {
  static constexpr std::string_view name = "sum_of_squares";

  Types infer(const Types& in) const;
  Tensors gradient(const Node& node, const Tensors& dy) const;
  void reference(const Views& v) const;
};

/// Errors: usage when x is of an integer type.
Tensor sum_of_squares(const Tensor& x);

}  // namespace fovea
