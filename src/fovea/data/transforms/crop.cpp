#include "fovea/data/transforms/crop.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/data/transforms/builtin.h"

namespace fovea::data {

TransformEntry crop_entry() {
  return {.choice = {.name = "crop",
                     .arguments = {{.name = "padding",
                                    .type = ArgumentType::integer,
                                    .default_value = int64_t{4},
                                    .maximum = 1 << 20,
                                    .help = "pixels of zeros on each side"}},
                     .help = "pads the image and crops the original size at a random position"},
          .make = [](const Arguments& a) -> AnyTransform {
            return std::make_shared<RandomCrop>(a.integer("padding"));
          }};
}

std::string RandomCrop::text() const { return "crop:" + std::to_string(pad_); }

Type RandomCrop::output(const Type& input) const {
  require_image(text(), input);
  if (pad_ >= std::min(input.shape[0], input.shape[1])) {
    throw Error(ErrorKind::usage, text() + " could miss images of " +
                                      std::to_string(input.shape[0]) + "x" +
                                      std::to_string(input.shape[1]));
  }
  return input;
}

void RandomCrop::operator()(Sample& sample, Random& random) const {
  const auto offsets = static_cast<uint64_t>(2 * pad_ + 1);
  const int64_t down = static_cast<int64_t>(random.below(offsets)) - pad_;
  const int64_t right = static_cast<int64_t>(random.below(offsets)) - pad_;
  if (down != 0 || right != 0) shift(sample.input, down, right);
}

void shift(Array& image, int64_t down, int64_t right) {
  const int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  const int64_t row = width * channels;
  const int64_t gap = std::min(std::abs(right), width) * channels;
  const int64_t from = right < 0 ? gap : 0;
  const int64_t to = right < 0 ? 0 : gap;
  const int64_t blank = right < 0 ? row - gap : 0;
  uint8_t* data = image.data<uint8_t>().data();
  for (int64_t i = 0; i < height; ++i) {
    // Rows are written in the order in which none is overwritten before it is read.
    const int64_t y = down > 0 ? height - 1 - i : i;
    const int64_t source = y - down;
    uint8_t* out = data + y * row;
    if (source < 0 || source >= height) {
      std::memset(out, 0, static_cast<size_t>(row));
    } else {
      std::memmove(out + to, data + source * row + from, static_cast<size_t>(row - gap));
      std::memset(out + blank, 0, static_cast<size_t>(gap));
    }
  }
}

}  // namespace fovea::data
