#include "fovea/data/made_up.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/random.h"

namespace fovea::data {

MadeUp::MadeUp(int64_t size, const Shape& image, int64_t classes) : size_(size), image_(image) {
  if (size < 1 || image.rank() != 3 || image.numel() < 1 || classes < 1) {
    throw Error(ErrorKind::usage, "made-up images: a number is below 1")
        .with("images", std::to_string(size))
        .with("image", to_string(image))
        .with("classes", std::to_string(classes));
  }
  for (int64_t i = 0; i < classes; ++i) class_names_.push_back(std::to_string(i));
}

void MadeUp::image(int64_t i, std::span<uint8_t> out) const {
  Random random(0, "made-up image", static_cast<uint64_t>(i));
  for (size_t p = 0; p < out.size(); p += 4) {
    const uint32_t bits = random.bits();
    for (size_t k = 0; k < std::min<size_t>(4, out.size() - p); ++k) {
      out[p + k] = static_cast<uint8_t>(bits >> (8 * k));
    }
  }
}

}  // namespace fovea::data
