#pragma once

#include "fovea/data/transform.h"
#include "fovea/images/geometry.h"

namespace fovea::data {

/// Pads an image by `padding` on each side, then crops the original size: each of the (2 padding +
/// 1)^2 offsets is equally likely. A mask moves with it.
class RandomCrop : public Transform {
 public:
  explicit RandomCrop(int64_t padding = 4, PaddingMode mode = PaddingMode::zeros)
      : padding_(padding), mode_(mode) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  int64_t padding_;
  PaddingMode mode_;
};

/// Crops the central `size` x `size` of an image, with black around a smaller image. It frames: the
/// crop is scaled to the net's size. A mask moves with it.
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
