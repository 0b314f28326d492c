#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fovea/kernels/simd/winograd.h"

/// What the two files of Winograd's convolution share: see winograd_convolution.cpp.
namespace fovea::simd::winograd {

/// A convolution in Winograd's terms.
struct Convolution {
  Patches x;
  Planes y;
  Weights weights;

  int64_t groups() const { return (y.image.channels + group - 1) / group; }
  /// The output channels of a group.
  Range channels(int64_t g) const {
    return {g * group, std::min((g + 1) * group, y.image.channels)};
  }
};

/// The moments of each output channel over some tiles: their mean, the sum of squared differences
/// from it, and for each group how many values these are of.
struct Moments {
  float *mean = nullptr, *squares = nullptr, *count = nullptr;
};

/// What becomes of the outputs. `bias` has a float for each channel; y, and the residual that is
/// added, have the same elements.
struct Epilogue {
  const float* bias = nullptr;
  const std::byte* residual = nullptr;
  std::byte* y = nullptr;
  bool relu = false;
  bool stream = false;  ///< y goes around the caches
  Moments moments = {};
};

/// The outputs of a group of output channels from M, whose rows are the tiles of a piece.
void finish_group(const Convolution& c, const Epilogue& e, int64_t g, const Piece& piece,
                  const Matrices& m);

}  // namespace fovea::simd::winograd
