#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/draw/canvas.h"
#include "fovea/images/image.h"

namespace fovea::draw {

/// A box to be drawn, in pixels of the picture.
struct DrawnBox {
  Box box;
  int64_t label = 0;      ///< index of its class, which has a colour: see class_colors
  std::string text = {};  ///< "cat 93%"; "": none
  bool dashed = false;    ///< for what does not count
};

/// `picture` in RGB with boxes in the colours of their classes, the later ones on top, and their
/// texts on filled rectangles above them or, where there is no room, inside. Lines and letters grow
/// with the picture. A picture whose longer side has less than `least` pixels is first enlarged by
/// an integer factor, so that texts can be read.
Image box_picture(const Image& picture, const std::vector<DrawnBox>& boxes, int least = 0);

}  // namespace fovea::draw
