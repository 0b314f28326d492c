#pragma once

#include "fovea/data/transform.h"

namespace fovea::data {

/// Pads an image by `pad` zeros (black) on each side, then cuts the original size out of it: each
/// of the (2 pad + 1)^2 offsets is equally likely. The target stays.
class RandomCrop : public Transform {
 public:
  explicit RandomCrop(int64_t pad = 4) : pad_(pad) {}
  std::string text() const override;
  Type output(const Type& input) const override;
  void operator()(Sample& sample, Random& random) const override;

 private:
  int64_t pad_;
};

/// The image u8[H,W,C] moved by `down` rows and `right` columns (negative: up, left); what comes in
/// is zero.
void shift(Array& image, int64_t down, int64_t right);

}  // namespace fovea::data
