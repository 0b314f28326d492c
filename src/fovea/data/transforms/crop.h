#pragma once

#include "fovea/data/transform.h"
#include "fovea/images/geometry.h"

namespace fovea::data {

/// Pads an image by `padding` on each side, then cuts the original size out of it: each of the
/// (2 padding + 1)^2 offsets is equally likely. The target stays.
class RandomCrop : public Transform {
 public:
  explicit RandomCrop(int64_t padding = 4, PadMode mode = PadMode::zeros)
      : padding_(padding), mode_(mode) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  int64_t padding_;
  PadMode mode_;
};

/// Cuts the middle `size` x `size` out of an image, with black around it where the image is
/// smaller. It frames: what it cuts out is scaled to the net's size. The target stays.
class CenterCrop : public Transform {
 public:
  explicit CenterCrop(int64_t size) : size_(size) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  bool frames() const override { return true; }
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  int64_t size_;
};

}  // namespace fovea::data
