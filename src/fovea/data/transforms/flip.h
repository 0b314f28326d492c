#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Flips an image horizontally with probability `p`. The target stays unchanged.
class RandomFlip : public Transform {
 public:
  explicit RandomFlip(double p = 0.5) : p_(p) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  double p_;
};

/// Mirrors a random half of the images in the first epoch, the others in the second, and so on in
/// turn: in any two epochs the net sees each image both ways. The target stays.
class AlternatingFlip : public Transform {
 public:
  std::string text() const override { return "flip:alternate"; }
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;
};

/// The image u8[H,W,C] mirrored left and right, or upside down.
void flip(Array& image);
void vertical_flip(Array& image);

}  // namespace fovea::data
