#include "fovea/data/prepared.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea::data {

Prepared::Prepared(std::shared_ptr<const Dataset> whole, Preprocessing preprocessing)
    : whole_(std::move(whole)), preprocessing_(std::move(preprocessing)) {
  if (const std::string what = problem(preprocessing_); !what.empty()) {
    throw Error(ErrorKind::usage, "data set: its images cannot be prepared: " + what);
  }
  if (whole_->channels() != 1 && whole_->channels() != 3) {
    throw Error(ErrorKind::usage, "data set: images of " + std::to_string(whole_->channels()) +
                                      " channels cannot be resized, 1 or 3 are expected");
  }
}

void Prepared::image(int64_t i, std::span<uint8_t> out) const {
  Image image{static_cast<int>(whole_->height()), static_cast<int>(whole_->width()),
              static_cast<int>(whole_->channels()),
              std::vector<uint8_t>(static_cast<size_t>(whole_->image_bytes()))};
  whole_->image(i, image.pixels);
  std::ranges::copy(prepare(image, preprocessing_).pixels, out.begin());
}

std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> whole,
                                        const Preprocessing& preprocessing) {
  if (whole->height() == preprocessing.height && whole->width() == preprocessing.width &&
      whole->channels() == preprocessing.channels) {
    return whole;
  }
  return std::make_shared<Prepared>(std::move(whole), preprocessing);
}

}  // namespace fovea::data
