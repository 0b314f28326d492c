#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// Channels to pixels: x [N, C * r * r, H, W] gives [N, C,
/// H * r, W * r], with channel c * r * r + i * r + j at row
/// i and column j of each r x r block of channel c. Errors:
/// usage when x has other axes, or r * r does not divide C.
Tensor pixel_shuffle(const Tensor& x, int64_t r);

/// The reverse: x [N, C, H * r, W * r] gives [N, C * r * r, H, W]. Errors: usage when x has other
/// axes, or r does not divide both height and width.
Tensor pixel_unshuffle(const Tensor& x, int64_t r);

/// Interleaves `groups` groups of channels of x [N, C, ...], as ShuffleNet does between grouped
/// convolutions: output channel i * groups + g is input channel g * (C / groups) + i. Errors: usage
/// when x has no axis 1, or groups does not divide C.
Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace fovea
