#pragma once

#include "fovea/core/scoped.h"

namespace fovea {

/// When convolutions are computed by Winograd's algorithm, F(4x4, 3x3) and F(2x2, 5x5), along one
/// axis F(4, 3) and F(2, 5), or with a stride of 2 F(4, 2) for the outer taps of 3x3: with fewer
/// products, and with a stride of 1 in f32 a few times the rounding error of a direct convolution.
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
