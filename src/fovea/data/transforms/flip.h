#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Flips an image horizontally with probability `p`. A mask moves with it.
class RandomFlip : public Transform {
 public:
  explicit RandomFlip(double p = 0.5) : p_(p) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;

 private:
  double p_;
};

/// Flips a random half of the images in the first epoch, the others in the second, and so on
/// alternately: in any two consecutive epochs the net sees each image both ways. A mask
/// moves with it.
class AlternatingFlip : public Transform {
 public:
  std::string text() const override { return "flip:alternate"; }
  Type output(const Type& input) const override;
  void operator()(Sample& sample, TransformContext& context) const override;
};

/// The image u8[H,W,C] flipped horizontally, or vertically.
void flip(Array& image);
void vertical_flip(Array& image);

}  // namespace fovea::data
