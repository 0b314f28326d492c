#pragma once

#include <cstddef>
#include <cstdint>

#include "fovea/core/dtype.h"
#include "fovea/kernels/simd/channels.h"
#include "fovea/ops/norm.h"

/// The passes of the gradient of batch norm, a file each: see batch_norm_backward.cpp.
namespace fovea::simd {

/// dx = factor * (d - offset - (x - mean) * tilt), with constants per channel.
struct NormGradient {
  DType dtype;  ///< of x, residual, dy, dx and dresidual
  NormEpilogue epilogue = {};
  Tiles tiles = {};
  const std::byte *x = nullptr, *dy = nullptr;
  const float *mean = nullptr, *factor = nullptr, *offset = nullptr, *tilt = nullptr;
  std::byte *dx = nullptr, *dresidual = nullptr;
  std::byte* kept = nullptr;  ///< where the sums' pass stores d; null: nowhere
  /// For the activation, if there is one.
  const float *scale = nullptr, *beta = nullptr;
  const std::byte* residual = nullptr;
};

/// Sums of d and of d (x - mean), of each channel of a chunk.
void gradient_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                   float* sum, float* dot);
/// dx, and the gradient of a residual, of a chunk.
void gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk);
/// Both where a pool follows the norm.
void tile_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk, float* sum,
               float* dot);
void tile_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk);
/// The sums and dx in one pass, where dx is d * factor.
void fixed_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                    float* sum, float* dot);

}  // namespace fovea::simd
