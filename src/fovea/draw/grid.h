#pragma once

#include <string>
#include <vector>

#include "fovea/draw/canvas.h"

namespace fovea::draw {

/// A picture and the text under it.
struct Tile {
  Image image;
  std::string caption = {};
};

struct GridOptions {
  int columns = 0;         ///< 0: chosen to make the grid about square
  int scale = 0;           ///< each pixel becomes scale x scale; 0: largest side about 112 pixels
  int margin = 8;          ///< pixels between tiles and around them
  int letters = 0;         ///< scale of captions; 0: 1, or 2 for tiles of at least 200 pixels
  std::string title = {};  ///< one line above the tiles, as far as it fits
};

/// The tiles row by row on white, RGB, each enlarged without smoothing, in cells of the largest
/// tile's size; a caption too long for its cell ends in "..". Letters are twice as large where
/// tiles are at least 200 pixels wide. If there are no captions, they take no room. Errors: usage
/// when there is no tile, an option is negative or above 65536, or the grid would have more than
/// 2^28 pixels.
Image grid(const std::vector<Tile>& tiles, const GridOptions& options = {});

/// The picture enlarged or reduced so that its longer side has about `side` pixels: enlarged by an
/// integer factor without smoothing, reduced with smoothing.
Image scaled_to(const Image& picture, int side);

}  // namespace fovea::draw
