#pragma once

#include "fovea/core/scoped.h"

namespace fovea {

/// When convolutions are computed by Winograd's algorithm, F(4x4, 3x3) or along one axis F(4, 3):
/// with fewer products, and in f32 a few times the rounding error of a direct convolution.
enum class Winograd {
  never,
  where_faster,  ///< than a direct convolution: the default
  always,        ///< wherever it can compute a problem at all: for tests and measurements
};

/// Sets it for all kernels that are chosen from now on, Fovea's own and oneDNN's. Programs that are
/// compiled already keep theirs.
void set_winograd(Winograd choice);
Winograd winograd();

using WinogradScope = Scoped<winograd, set_winograd>;

}  // namespace fovea
