#pragma once

#include "fovea/predict/inference.h"

namespace fovea {

/// How an image is cut into square tiles, in pixels.
struct Tiling {
  int64_t tile = 512;
  int64_t overlap = 64;  ///< of neighbouring tiles; at most half a tile
};

/// The output of a net that gives as many pixels as it gets, [1, K, H, W], for an image u8 or u16
/// [H,W,C] of any size: computed tile by tile, and faded from one to the next where they overlap,
/// so that no seams show. An image smaller than a tile is mirrored at its border. Memory: the
/// output and one tile's activations. Errors: usage when the tiling is not possible, or the net's
/// output is of another size than a tile; diverged when it is not finite.
Array tiled_output(Inference& inference, const Array& image, const Tiling& tiling);

}  // namespace fovea
