#pragma once

#include <span>
#include <vector>

#include "fovea/kernels/simd/depthwise.h"
#include "fovea/kernels/simd/direct.h"

/// How depthwise_convolution.cpp divides its work.
namespace fovea::simd::depthwise {

/// What every band of a run shares.
struct Run {
  const Geometry& g;
  /// Of each phase of the rows, those of each phase of the columns.
  const std::vector<std::vector<std::vector<Tap>>>& taps;
  direct::Bounds bounds;
  std::span<const EpilogueStep> steps;  ///< after the bounds
  DType dtype;
  const std::byte* x;
  const float *weights, *bias;  ///< the bias may be null
  std::span<const std::byte* const> residuals;
  std::byte* y;
  bool stream;           ///< y goes around the caches
  const Inside* inside;  ///< null: rows are copied
};

/// The outputs of one task: some steps along the rows of one plane, of 16 channels.
struct Band {
  int64_t image, block, plane, begin, end;
};

/// Computes a band of floats that are read where they are: no tap is in the padding. The sums go to
/// y if nothing follows them, else to the buffer. A block of channels in blocks, or all channels of
/// pixels.
void compute_in_place(const Run& run, const Band& band, float* buffer);

}  // namespace fovea::simd::depthwise
