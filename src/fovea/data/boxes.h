#pragma once

#include <cstdint>
#include <vector>

#include "fovea/core/array.h"

// The rows of a target of boxes as values: see is_boxes in sample.h.
namespace fovea::data {

/// A box, in pixels of its image.
struct ClassBox {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  int64_t label = 0;   ///< the index of its class
  bool counts = true;  ///< false: a region that is neither a target nor a mistake

  double width() const { return x2 - x1; }
  double height() const { return y2 - y1; }
  double area() const { return width() * height(); }

  bool operator==(const ClassBox&) const = default;
};

/// The boxes of a target f32[M,5], in order, without the absent ones.
std::vector<ClassBox> boxes_of(const Array& target);

/// A target f32[capacity,5] of these boxes. Errors: internal when there are more.
Array box_array(const std::vector<ClassBox>& boxes, int64_t capacity);

}  // namespace fovea::data
