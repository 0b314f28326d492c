#pragma once

#include <array>
#include <cstdint>

#include "fovea/core/array.h"
#include "fovea/images/resize.h"

// Images as arrays u8 or u16 [H,W,C], of any number of channels: cropped, padded, warped. What
// moves with an image (boxes, points, masks) uses the same numbers and matrices.
namespace fovea {

/// What lies beyond the border of an image: black, its mirror image (without the edge row itself),
/// or repeated edge pixels.
enum class PaddingMode : uint8_t { zeros, reflect, edge };

/// The rectangle height x width at (top, left) of `image`, of which any part may lie outside.
/// Errors: usage when it is not an image or a side is below 1.
Array crop(const Array& image, int64_t top, int64_t left, int64_t height, int64_t width,
           PaddingMode outside = PaddingMode::zeros);

/// Writes `other` over a part of `image`, with its top left at (top, left), of which any part may
/// lie outside. Errors: usage when they are not images of the same dtype and channels.
void paste(Array& image, const Array& other, int64_t top, int64_t left);

/// A map of the plane, row-major: (x, y) goes to (x' / w, y' / w) where (x', y', w) = M (x, y, 1).
/// x points right and y down, in pixels: the pixel of row i and column j is the square from (j, i)
/// to (j + 1, i + 1).
using Matrix3 = std::array<double, 9>;

/// Applies first `b`, then `a`.
Matrix3 multiply(const Matrix3& a, const Matrix3& b);
/// The inverse map. Errors: usage when there is none.
Matrix3 inverse(const Matrix3& matrix);

struct Point {
  double x = 0, y = 0;
};
Point moved(const Matrix3& matrix, Point point);

/// In this order about the centre: scaled, sheared, rotated; then shifted.
struct AffineParameters {
  double degrees = 0;               ///< clockwise
  double right = 0, down = 0;       ///< pixels
  double scale = 1;                 ///< above 0
  double shear_x = 0, shear_y = 0;  ///< degrees, between -90 and 90
};
/// The matrix that torchvision's affine applies.
Matrix3 affine_matrix(const AffineParameters& affine, Point center);

/// The map that takes each of four corners, in order around, to another. Errors: usage when three
/// of either four lie on a line.
Matrix3 perspective_matrix(const std::array<Point, 4>& from, const std::array<Point, 4>& to);

/// `image` moved by `matrix`, at its own size: each pixel is the point that the map takes to its
/// centre, or black if that lies outside. Within 1 of Pillow's Image.transform. Errors: usage when
/// it is not an image, the matrix cannot be inverted, or the filter is neither nearest nor
/// bilinear.
Array warp(const Array& image, const Matrix3& matrix, Filter filter);

}  // namespace fovea
