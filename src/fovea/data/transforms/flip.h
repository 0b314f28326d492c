#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Mirrors an image left and right with probability `p`. The target stays.
class RandomFlip : public Transform {
 public:
  explicit RandomFlip(double p = 0.5) : p_(p) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, Random& random) const override;

 private:
  double p_;
};

/// The image u8[H,W,C] mirrored left and right.
void flip(Array& image);

}  // namespace fovea::data
