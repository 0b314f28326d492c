#include "fovea/data/boxes.h"

#include <cmath>
#include <span>

#include "fovea/core/error.h"

namespace fovea::data {
namespace {

constexpr size_t columns = 5;

}  // namespace

std::vector<ClassBox> boxes_of(const Array& target) {
  const std::span<const float> values = target.data<float>();
  std::vector<ClassBox> boxes;
  for (size_t at = 0; at + columns <= values.size(); at += columns) {
    const float stored = values[at + 4];
    if (stored == 0) continue;
    boxes.push_back({.x1 = values[at],
                     .y1 = values[at + 1],
                     .x2 = values[at + 2],
                     .y2 = values[at + 3],
                     .label = static_cast<int64_t>(std::abs(stored)) - 1,
                     .counts = stored > 0});
  }
  return boxes;
}

Array box_array(const std::vector<ClassBox>& boxes, int64_t capacity) {
  require(std::ssize(boxes) <= capacity, "boxes: more than their array has rows");
  Array array = Array::full(DType::f32, {capacity, static_cast<int64_t>(columns)}, 0);
  float* row = array.data<float>().data();
  for (const ClassBox& box : boxes) {
    const auto stored = static_cast<double>(box.label + 1);
    for (const double value : {box.x1, box.y1, box.x2, box.y2, box.counts ? stored : -stored})
      *row++ = static_cast<float>(value);
  }
  return array;
}

}  // namespace fovea::data
