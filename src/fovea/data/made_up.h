#pragma once

#include <string>
#include <vector>

#include "fovea/core/shape.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images of noise that nobody holds: each is made when it is asked for, always the same. To see
/// what a net costs where there is no data set.
class MadeUp : public Dataset {
 public:
  /// `image` is C, H, W. Errors: usage when a number is below 1.
  MadeUp(int64_t size, const Shape& image, int64_t classes);

  int64_t size() const override { return size_; }
  int64_t height() const override { return image_[1]; }
  int64_t width() const override { return image_[2]; }
  int64_t channels() const override { return image_[0]; }
  int64_t label(int64_t i) const override { return i % static_cast<int64_t>(class_names_.size()); }
  void image(int64_t i, std::span<uint8_t> out) const override;
  const std::vector<std::string>& class_names() const override { return class_names_; }

 private:
  int64_t size_;
  Shape image_;
  std::vector<std::string> class_names_;  ///< "0", "1", ...
};

}  // namespace fovea::data
