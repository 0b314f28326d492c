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

/// A box of which a smaller share is left in an image is no longer in it.
constexpr double minimum_visible = 0.2;

/// What of boxes lies in an image of height x width, in order: clipped at its border, without those
/// of whose area less than minimum_visible is left. Regions that do not count stay as long as
/// anything of them is left.
std::vector<ClassBox> visible(const std::vector<ClassBox>& boxes, int64_t height, int64_t width);

}  // namespace fovea::data
