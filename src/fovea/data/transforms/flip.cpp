#include "fovea/data/transforms/flip.h"

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {

TransformEntry flip_entry() {
  return {.choice = {.name = "flip",
                     .arguments =
                         {{.name = "p", .default_value = 0.5, .maximum = 1, .help = "probability"}},
                     .help = "flips the image horizontally, at random"},
          .make = [](const Arguments& a) -> AnyTransform {
            return std::make_shared<RandomFlip>(a.number("p"));
          }};
}

std::string RandomFlip::text() const { return "flip:" + format_number(p_); }

Type RandomFlip::output(const Type& input) const {
  require_image(text(), input);
  return input;
}

void RandomFlip::operator()(Sample& sample, Random& random) const {
  if (random.uniform() < p_) flip(sample.input);
}

void flip(Array& image) {
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  uint8_t* data = image.data<uint8_t>().data();
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* left = data + y * width * channels;
    if (channels == 1) {
      std::reverse(left, left + width);
      continue;
    }
    uint8_t* right = left + (width - 1) * channels;
    for (; left < right; left += channels, right -= channels) {
      std::swap_ranges(left, left + channels, right);
    }
  }
}

}  // namespace fovea::data
