#include "fovea/data/transforms/auto_augment.h"

#include <cmath>
#include <numbers>

#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/images/adjust.h"

namespace fovea::data {
namespace {

constexpr double bins = magnitude_count - 1;

std::vector<double> none(int64_t, int64_t) { return {}; }

std::vector<double> evenly(double first, double last) {
  std::vector<double> values;
  for (int i = 0; i < magnitude_count; ++i) values.push_back(first + (last - first) * i / bins);
  return values;
}

/// Up to Percent / 100.
template <int Percent>
std::vector<double> up_to(int64_t, int64_t) {
  return evenly(0, Percent / 100.0);
}

// RandAugment moves by up to 150 of 331 pixels.
std::vector<double> share_of_width(int64_t, int64_t width) {
  return evenly(0, 150.0 / 331 * static_cast<double>(width));
}
std::vector<double> share_of_height(int64_t height, int64_t) {
  return evenly(0, 150.0 / 331 * static_cast<double>(height));
}

/// From 8 bits down by `Dropped`.
template <int Dropped>
std::vector<double> bits(int64_t, int64_t) {
  std::vector<double> values;
  for (int i = 0; i < magnitude_count; ++i)
    values.push_back(8 - std::nearbyint(i * Dropped / bins));
  return values;
}

std::vector<double> thresholds(int64_t, int64_t) { return evenly(255, 0); }

/// Shears keep the upper left corner fixed, others the centre.
void apply_affine(Sample& sample, const AffineParameters& affine, Point center, Filter filter) {
  warp(sample, affine_matrix(affine, center), filter);
}
double shear_degrees(double magnitude) { return std::atan(magnitude) * 180 / std::numbers::pi; }

void identity(Sample&, double, Filter) {}
void shear_x(Sample& sample, double magnitude, Filter filter) {
  apply_affine(sample, {.shear_x = shear_degrees(magnitude)}, {0, 0}, filter);
}
void shear_y(Sample& sample, double magnitude, Filter filter) {
  apply_affine(sample, {.shear_y = shear_degrees(magnitude)}, {0, 0}, filter);
}
void translate_x(Sample& sample, double magnitude, Filter filter) {
  apply_affine(sample, {.right = std::trunc(magnitude)}, {0, 0}, filter);
}
void translate_y(Sample& sample, double magnitude, Filter filter) {
  apply_affine(sample, {.down = std::trunc(magnitude)}, {0, 0}, filter);
}
void rotate(Sample& sample, double magnitude, Filter filter) {  // counter-clockwise
  const Point center{static_cast<double>(sample.input.dim(1)) / 2,
                     static_cast<double>(sample.input.dim(0)) / 2};
  apply_affine(sample, {.degrees = -magnitude}, center, filter);
}

/// A function of a factor, where 1 means no change.
template <void (*Adjust)(Array&, double)>
void adjusted(Sample& sample, double magnitude, Filter) {
  Adjust(sample.input, 1 + magnitude);
}
template <void (*Change)(Array&)>
void changed(Sample& sample, double, Filter) {
  Change(sample.input);
}
void posterized(Sample& sample, double magnitude, Filter) {
  posterize(sample.input, static_cast<int>(magnitude));
}
void solarized(Sample& sample, double magnitude, Filter) { solarize(sample.input, magnitude); }

/// One of `operations` at strength `index`, with a random sign if it has one.
void apply_random(Sample& sample, std::span<const AutoOperation> operations, Filter filter,
                  Random& random, const std::function<size_t()>& index) {
  const AutoOperation& operation = operations[random.below(operations.size())];
  const std::vector<double> magnitudes =
      operation.magnitudes(sample.input.dim(0), sample.input.dim(1));
  double magnitude = magnitudes.empty() ? 0 : magnitudes[index()];
  if (operation.is_signed && random.below(2) == 1) magnitude = -magnitude;
  operation.apply(sample, magnitude, filter);
}

}  // namespace

std::span<const AutoOperation> rand_augment_operations() {
  static constexpr AutoOperation all[] = {
      {"Identity", none, false, identity},
      {"ShearX", up_to<30>, true, shear_x},
      {"ShearY", up_to<30>, true, shear_y},
      {"TranslateX", share_of_width, true, translate_x},
      {"TranslateY", share_of_height, true, translate_y},
      {"Rotate", up_to<3000>, true, rotate},
      {"Brightness", up_to<90>, true, adjusted<adjust_brightness>},
      {"Color", up_to<90>, true, adjusted<adjust_saturation>},
      {"Contrast", up_to<90>, true, adjusted<adjust_contrast>},
      {"Sharpness", up_to<90>, true, adjusted<adjust_sharpness>},
      {"Posterize", bits<4>, false, posterized},
      {"Solarize", thresholds, false, solarized},
      {"AutoContrast", none, false, changed<autocontrast>},
      {"Equalize", none, false, changed<equalize>}};
  return all;
}

std::span<const AutoOperation> trivial_augment_operations() {
  static constexpr AutoOperation all[] = {
      {"Identity", none, false, identity},
      {"ShearX", up_to<99>, true, shear_x},
      {"ShearY", up_to<99>, true, shear_y},
      {"TranslateX", up_to<3200>, true, translate_x},
      {"TranslateY", up_to<3200>, true, translate_y},
      {"Rotate", up_to<13500>, true, rotate},
      {"Brightness", up_to<99>, true, adjusted<adjust_brightness>},
      {"Color", up_to<99>, true, adjusted<adjust_saturation>},
      {"Contrast", up_to<99>, true, adjusted<adjust_contrast>},
      {"Sharpness", up_to<99>, true, adjusted<adjust_sharpness>},
      {"Posterize", bits<6>, false, posterized},
      {"Solarize", thresholds, false, solarized},
      {"AutoContrast", none, false, changed<autocontrast>},
      {"Equalize", none, false, changed<equalize>}};
  return all;
}

TransformEntry rand_augment_entry() {
  return move_entry(
      {.name = "randaugment",
       .arguments = {{.name = "operations",
                      .type = ArgumentType::integer,
                      .default_value = int64_t{2},
                      .maximum = 64,
                      .help = "number of operations applied in sequence"},
                     {.name = "magnitude",
                      .type = ArgumentType::integer,
                      .default_value = int64_t{9},
                      .maximum = bins,
                      .help = "their strength"},
                     interpolation_argument(Filter::nearest)},
       .help = "random operations of the same strength (RandAugment)"},
      "randaugment:2:9",
      [](const Arguments& a) -> MoveFunction {
        return [count = a.integer("operations"),
                index = static_cast<size_t>(a.integer("magnitude")),
                filter = interpolation_of(a)](Sample& sample, Random& random) {
          for (int64_t i = 0; i < count; ++i) {
            apply_random(sample, rand_augment_operations(), filter, random, [&] { return index; });
          }
        };
      },
      require_colors);
}

TransformEntry trivial_augment_entry() {
  return move_entry(
      {.name = "trivialaugment",
       .arguments = {interpolation_argument(Filter::nearest)},
       .help = "one random operation of random strength (TrivialAugment)"},
      "trivialaugment",
      [](const Arguments& a) -> MoveFunction {
        return [filter = interpolation_of(a)](Sample& sample, Random& random) {
          apply_random(sample, trivial_augment_operations(), filter, random,
                       [&] { return static_cast<size_t>(random.below(magnitude_count)); });
        };
      },
      require_colors);
}

}  // namespace fovea::data
