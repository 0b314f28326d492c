#pragma once

#include <array>
#include <cstdint>

#include "fovea/images/image.h"

namespace fovea {

/// What is left of a picture when it is compared with many others: small, and nearly the same after
/// scaling, compression, and changes of brightness or contrast.
struct Likeness {
  /// Signs of the 64 lowest frequencies of the picture's cosine transform, the mean apart: few bits
  /// differ between pictures that look alike (a "perceptual hash").
  uint64_t hash = 0;
  /// The picture in gray, 16 x 16.
  std::array<uint8_t, 256> small = {};
};

/// Errors: usage when the picture is malformed.
Likeness likeness(const Image& picture);

/// The correlation of two small pictures, -1 to 1; 1 for two of a single colour each, 0 for one
/// of a single colour and one that is not.
double correlation(const Likeness& a, const Likeness& b);

}  // namespace fovea
