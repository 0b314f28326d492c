#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/images/image.h"

namespace fovea {

/// A picture and the text under it.
struct Tile {
  Image image;
  std::string caption;
};

struct GridOptions {
  int columns = 0;  ///< 0: chosen to make the grid about square
  int scale = 0;    ///< each pixel becomes scale x scale; 0: largest side about 112 pixels
  int margin = 8;   ///< pixels between tiles and around them
};

/// The tiles row by row on white, RGB, each enlarged without smoothing, in cells of the largest
/// tile's size; a caption too long for its cell ends in "..". Errors: usage when there is no tile,
/// an option is negative or above 65536, or the grid would have more than 2^28 pixels.
Image draw_grid(const std::vector<Tile>& tiles, const GridOptions& options = {});

/// Letters are 5x7 pixels, 6 apart.
constexpr int letter_height = 7;
constexpr int letter_advance = 6;

/// Writes one line of dark text on `image` (RGB) with its top left at (top, left); what does not
/// fit is cut off. Printable ASCII; any other character is shown as "?".
void draw_text(Image& image, int top, int left, std::string_view text);

}  // namespace fovea
