#pragma once

#include <functional>
#include <string>

#include "fovea/data/transform.h"
#include "fovea/images/geometry.h"

// What most transforms share: each is a function of the image, or of the image and its target.
namespace fovea::data {

/// Changes the colours of an image u8 or u16 [H,W,C].
using ImageFunction = std::function<void(Array& image, Random& random)>;
/// Moves an image, which keeps its size, and its target: see moves.h.
using MoveFunction = std::function<void(Sample& sample, Random& random)>;

/// The row of a transform that is such a function, built once from its arguments. `require` checks
/// the input's type (require_image or require_colors).
TransformEntry image_entry(Choice choice, std::string example,
                           std::function<ImageFunction(const Arguments&)> make,
                           void (*require)(std::string_view, const Type&) = require_image);
TransformEntry move_entry(Choice choice, std::string example,
                          std::function<MoveFunction(const Arguments&)> make,
                          void (*require)(std::string_view, const Type&) = require_image);

/// `change` with probability `p`, otherwise nothing.
template <class Changed>
std::function<void(Changed&, Random&)> with_probability(
    double p, std::function<void(Changed&, Random&)> change) {
  return [p, change = std::move(change)](Changed& changed, Random& random) {
    if (random.uniform() < p) change(changed, random);
  };
}

// Arguments shared by several transforms.
Argument probability_argument(double default_value = 0.5);
Argument interpolation_argument(Filter default_value);
Filter interpolation_of(const Arguments& arguments);

/// "value" of the pixels beside an image that does not fill its frame, 0 to 255.
Argument bars_argument();

/// Uniform in [low, high).
double uniform(Random& random, double low, double high);
/// A uniform integer in [low, high].
int64_t integer(Random& random, int64_t low, int64_t high);

struct Range {
  double low = 0, high = 0;
};
/// The values of the arguments min_NAME and max_NAME. Errors: usage when the first is larger.
Range range_of(const Choice& choice, const Arguments& arguments, const std::string& name);

}  // namespace fovea::data
