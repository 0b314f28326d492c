#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/core/array.h"
#include "fovea/images/image.h"

namespace fovea {

/// One row of the table of textbook kernels.
struct FilterEntry {
  Choice choice;
  std::function<Array(const Arguments&)> kernel;  ///< f64 [height, width], x to the right, y down
  bool absolute = false;  ///< pictures show absolute values: both signs of a slope
};

/// The table, built-in ones first:
///   sobel_x, sobel_y             the slope along x and along y, smoothed across it
///   sharpen, box, laplacian      3x3: 5 amid -1; the mean; the 4 neighbours minus 4 times the
///                                centre
///   gaussian:SIZE:SIGMA          exp(-(x^2 + y^2) / (2 sigma^2)), divided by the sum
///   gabor:SIZE:SIGMA:THETA:LAMBDA
///                                the same bell, not divided, times cos(2 pi x' / lambda), where x'
///                                = x cos(theta) + y sin(theta): stripes lambda pixels wide that
///                                are vertical for theta = 0 (radians)
/// SIZE is 1 to 255; x and y are counted from the centre of the square, between pixels when SIZE is
/// even.
const std::vector<FilterEntry>& filters();

/// Adds a filter of your own, which `fovea filter` can then use by name. Not thread-safe: call it
/// before filters are used. Errors: usage when the name is taken, or as check(Choice).
void add_filter(FilterEntry entry);

/// The kernel that a text such as "gaussian:5:1" stands for, and its row. Errors: usage for an
/// unknown name or bad arguments, listing the known ones.
Chosen<FilterEntry> choose_filter(std::string_view text);
Array filter_kernel(std::string_view text);

/// Each channel of `image` cross-correlated with `kernel` (not flipped), on samples of 0 to 255
/// with edge pixels replicated: f32 [H, W] for gray, [H, W, 3] for colour; alpha is dropped. Along
/// an even side of the kernel, the output pixel is the one before the centre. Errors: usage when
/// the kernel is not a float array of 2 axes, each 1 to 255, or contains a number that is not
/// finite.
Array filter_image(const Image& image, const Array& kernel);

/// The result of filter_image as a picture: rounded and clipped to 0 to 255, after taking absolute
/// values if `absolute`. Errors: usage for other shapes or types.
Image filtered_picture(const Array& filtered, bool absolute);

}  // namespace fovea
