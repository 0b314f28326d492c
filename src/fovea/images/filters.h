#pragma once

#include <string_view>

#include "fovea/core/array.h"
#include "fovea/images/image.h"

namespace fovea {

/// The textbook's kernels by name, f64 [height, width], x to the right and y down:
///   sobel_x, sobel_y             the slope along x and along y, smoothed across it
///   sharpen, box, laplacian      3x3: 5 amid -1; the mean; the 4 neighbours minus 4 times the
///   middle gaussian:SIZE,SIGMA          exp(-(x^2 + y^2) / (2 sigma^2)), divided by the sum
///   gabor:SIZE,SIGMA,THETA,LAMBDA
///                                the same bell, not divided, times cos(2 pi x' / lambda), where x'
///                                = x cos(theta) + y sin(theta): stripes lambda pixels wide that
///                                stand upright for theta = 0 (radians)
/// SIZE is 1 to 255; x and y are counted from the middle of the square, between pixels when SIZE is
/// even. Errors: usage for another name, listing these, or for numbers it cannot take.
Array filter_kernel(std::string_view text);

/// Each channel of `image` cross-correlated with `kernel` (not flipped), on samples of 0 to 255
/// with the border repeated outwards: f32 [H, W] for gray, [H, W, 3] for colour; alpha is dropped.
/// Where a side of the kernel is even, the pixel stands left of, or above, its middle. Errors:
/// usage when the kernel is not a float array of 2 axes, each 1 to 255, or has a number that is not
/// finite.
Array filter_image(const Image& image, const Array& kernel);

/// What filter_image gives as a picture: rounded and clipped to 0 to 255; with `absolute` of the
/// absolute values. Errors: usage for other shapes or types.
Image filtered_picture(const Array& filtered, bool absolute);

}  // namespace fovea
