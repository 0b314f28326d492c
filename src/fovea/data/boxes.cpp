#include "fovea/data/boxes.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "fovea/core/error.h"

namespace fovea::data {
namespace {

constexpr size_t box_columns = 5;

}  // namespace

std::vector<ClassBox> boxes_of(const Array& target) {
  const std::span<const float> values = target.data<float>();
  std::vector<ClassBox> boxes;
  for (size_t at = 0; at + box_columns <= values.size(); at += box_columns) {
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
  Array array = Array::full(DType::f32, {capacity, static_cast<int64_t>(box_columns)}, 0);
  float* row = array.data<float>().data();
  for (const ClassBox& box : boxes) {
    const auto stored = static_cast<double>(box.label + 1);
    for (const double value : {box.x1, box.y1, box.x2, box.y2, box.counts ? stored : -stored})
      *row++ = static_cast<float>(value);
  }
  return array;
}

std::vector<ClassBox> visible(const std::vector<ClassBox>& boxes, int64_t height, int64_t width) {
  const auto right = static_cast<double>(width), bottom = static_cast<double>(height);
  std::vector<ClassBox> rest;
  for (const ClassBox& box : boxes) {
    ClassBox part = box;
    part.x1 = std::clamp(box.x1, 0.0, right);
    part.x2 = std::clamp(box.x2, 0.0, right);
    part.y1 = std::clamp(box.y1, 0.0, bottom);
    part.y2 = std::clamp(box.y2, 0.0, bottom);
    const double least = box.counts ? minimum_visible * box.area() : 0;
    if (part.width() > 0 && part.height() > 0 && part.area() >= least) rest.push_back(part);
  }
  return rest;
}

}  // namespace fovea::data
