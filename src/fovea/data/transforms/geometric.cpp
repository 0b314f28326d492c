#include <cmath>

#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"

namespace fovea::data {
namespace {

Point center_of(const Array& image) {
  return {static_cast<double>(image.dim(1)) / 2, static_cast<double>(image.dim(0)) / 2};
}

/// The corners of an image's pixels and, drawn as in torchvision, their new positions: each moves
/// towards the centre by up to `distortion` of half a side.
Matrix3 random_perspective(int64_t height, int64_t width, double distortion, Random& random) {
  const auto inwards = [&](int64_t side) {
    const double half = static_cast<double>(side / 2);
    return static_cast<double>(integer(random, 0, static_cast<int64_t>(distortion * half)));
  };
  const auto right = static_cast<double>(width - 1), bottom = static_cast<double>(height - 1);
  const std::array<Point, 4> from{Point{0, 0}, {right, 0}, {right, bottom}, {0, bottom}};
  std::array<Point, 4> to = from;
  for (Point& corner : to) {
    const double x = inwards(width), y = inwards(height);
    corner = {corner.x == 0 ? x : right - x, corner.y == 0 ? y : bottom - y};
  }
  return perspective_matrix(from, to);
}

}  // namespace

TransformEntry rotation_entry() {
  return move_entry(
      {.name = "rotation",
       .arguments = {{.name = "degrees", .maximum = 180, .help = "maximum angle either way"},
                     interpolation_argument(Filter::nearest)},
       .help = "rotates the image about its centre by a random angle"},
      "rotation:30:bilinear", [](const Arguments& a) -> MoveFunction {
        return [degrees = a.number("degrees"), filter = interpolation_of(a)](Sample& sample,
                                                                             Random& random) {
          const double angle = uniform(random, -degrees, degrees);
          warp(sample, affine_matrix({.degrees = angle}, center_of(sample.input)), filter);
        };
      });
}

TransformEntry affine_entry() {
  const Choice choice{
      .name = "affine",
      .arguments = {{.name = "degrees", .maximum = 180, .help = "maximum angle either way"},
                    {.name = "translate",
                     .default_value = 0.0,
                     .maximum = 1,
                     .help = "maximum shift along each axis, as a fraction of the side"},
                    {.name = "min_scale",
                     .default_value = 1.0,
                     .minimum = 0.01,
                     .maximum = 100,
                     .help = "minimum scale factor"},
                    {.name = "max_scale",
                     .default_value = 1.0,
                     .minimum = 0.01,
                     .maximum = 100,
                     .help = "maximum scale factor"},
                    {.name = "shear",
                     .default_value = 0.0,
                     .maximum = 90,
                     .open_maximum = true,
                     .help = "maximum shear along x in degrees, either way"},
                    interpolation_argument(Filter::nearest)},
      .help = "rotates, shifts, scales and shears the image at random"};
  return move_entry(choice, "affine:20:0.1:0.8:1.2:10:bilinear",
                    [choice](const Arguments& a) -> MoveFunction {
                      return [degrees = a.number("degrees"), translate = a.number("translate"),
                              scale = range_of(choice, a, "scale"), shear = a.number("shear"),
                              filter = interpolation_of(a)](Sample& sample, Random& random) {
                        const Array& image = sample.input;
                        const auto move = [&](int axis) {
                          const double largest = translate * static_cast<double>(image.dim(axis));
                          return std::round(uniform(random, -largest, largest));
                        };
                        AffineParameters affine{.degrees = uniform(random, -degrees, degrees)};
                        affine.right = move(1);
                        affine.down = move(0);
                        affine.scale = uniform(random, scale.low, scale.high);
                        affine.shear_x = uniform(random, -shear, shear);
                        warp(sample, affine_matrix(affine, center_of(image)), filter);
                      };
                    });
}

TransformEntry perspective_entry() {
  return move_entry(
      {.name = "perspective",
       .arguments = {{.name = "distortion",
                      .default_value = 0.5,
                      .maximum = 1,
                      .open_maximum = true,
                      .help = "maximum shift of the corners, as a fraction of half a side"},
                     probability_argument(),
                     interpolation_argument(Filter::bilinear)},
       .help = "moves the four corners inwards, at random"},
      "perspective:0.5:1", [](const Arguments& a) {
        return with_probability<Sample>(a.number("p"), [distortion = a.number("distortion"),
                                                        filter = interpolation_of(a)](
                                                           Sample& sample, Random& random) {
          const Array& image = sample.input;
          if (image.dim(0) < 2 || image.dim(1) < 2) return;  // the corners coincide
          warp(sample, random_perspective(image.dim(0), image.dim(1), distortion, random), filter);
        });
      });
}

}  // namespace fovea::data
