#include "fovea/data/transforms/flip.h"

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/data/moves.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/image_transform.h"
#include "fovea/images/samples.h"

namespace fovea::data {

TransformEntry flip_entry() {
  return {.choice = {.name = "flip",
                     .arguments = {{.name = "p",
                                    .default_value = 0.5,
                                    .maximum = 1,
                                    .words = {"alternate"},
                                    .help = "probability; \"alternate\": a random half of the "
                                            "images, and the other half in every second epoch"}},
                     .help = "flips the image horizontally, at random"},
          .example = "flip",
          .make = [](const Arguments& a) -> AnyTransform {
            const std::optional<double> p = a.optional_number("p");
            if (!p) return std::make_shared<AlternatingFlip>();
            return std::make_shared<RandomFlip>(*p);
          }};
}

TransformEntry vertical_flip_entry() {
  return move_entry({.name = "vertical-flip",
                     .arguments = {probability_argument()},
                     .help = "flips the image vertically, at random"},
                    "vertical-flip", [](const Arguments& a) {
                      return with_probability<Sample>(
                          a.number("p"), [](Sample& sample, Random&) { vertical_flip(sample); });
                    });
}

std::string RandomFlip::text() const { return "flip:" + format_number(p_); }

Type RandomFlip::output(const Type& input) const {
  require_image(text(), input);
  return input;
}

void RandomFlip::operator()(Sample& sample, TransformContext& context) const {
  if (context.random.uniform() < p_) flip(sample);
}

Type AlternatingFlip::output(const Type& input) const {
  require_image(text(), input);
  return input;
}

void AlternatingFlip::operator()(Sample& sample, TransformContext& context) const {
  const bool first_half = context.lasting.uniform() < 0.5;
  if (first_half == (context.epoch % 2 == 0)) flip(sample);
}

void flip(Array& image) {
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  with_samples("flip", image, [&]<class T>(std::span<T> samples) {
    for (int64_t y = 0; y < height; ++y) {
      T* left = samples.data() + y * width * channels;
      if (channels == 1) {
        std::reverse(left, left + width);
        continue;
      }
      T* right = left + (width - 1) * channels;
      for (; left < right; left += channels, right -= channels) {
        std::swap_ranges(left, left + channels, right);
      }
    }
  });
}

void vertical_flip(Array& image) {
  const int64_t height = image.dim(0), row = image.dim(1) * image.dim(2);
  with_samples("vertical-flip", image, [&]<class T>(std::span<T> samples) {
    for (int64_t y = 0; y < height / 2; ++y) {
      T* upper = samples.data() + y * row;
      std::swap_ranges(upper, upper + row, samples.data() + (height - 1 - y) * row);
    }
  });
}

}  // namespace fovea::data
