#include "fovea/data/moves.h"

#include <algorithm>
#include <array>

#include "fovea/data/boxes.h"
#include "fovea/data/transforms/flip.h"
#include "fovea/images/samples.h"

namespace fovea::data {
namespace {

/// Replaces the target, if it lies in the image, which has been moved: a mask by `move_mask` of it,
/// boxes by those around the points that `move_point` makes of their corners.
template <class MoveMask, class MovePoint>
void move_target(Sample& sample, const MoveMask& move_mask, const MovePoint& move_point) {
  const Type type{sample.target.dtype(), sample.target.shape()};
  if (is_mask(type)) sample.target = move_mask(sample.target);
  if (!is_boxes(type)) return;
  std::vector<ClassBox> boxes = boxes_of(sample.target);
  for (ClassBox& box : boxes) {
    const std::array<Point, 4> corners{
        move_point(Point{box.x1, box.y1}), move_point(Point{box.x2, box.y1}),
        move_point(Point{box.x2, box.y2}), move_point(Point{box.x1, box.y2})};
    const auto [left, right] = std::ranges::minmax(corners, {}, &Point::x);
    const auto [top, bottom] = std::ranges::minmax(corners, {}, &Point::y);
    box.x1 = left.x;
    box.x2 = right.x;
    box.y1 = top.y;
    box.y2 = bottom.y;
  }
  sample.target =
      box_array(visible(boxes, sample.input.dim(0), sample.input.dim(1)), sample.target.dim(0));
}

Array flipped(const Array& mask, void (*change)(Array&)) {
  Array copy = mask.clone();
  change(copy);
  return copy;
}

/// Where a point of a picture of height x width comes to lie in `prepare`.
auto prepared_point(int64_t height, int64_t width, const Preprocessing& p) {
  const PictureArea area = prepared_area(static_cast<int>(height), static_cast<int>(width), p);
  return [area, y = p.height / area.height, x = p.width / area.width](Point point) {
    return Point{(point.x - area.left) * x, (point.y - area.top) * y};
  };
}

}  // namespace

void flip(Sample& sample) {
  flip(sample.input);
  const auto width = static_cast<double>(sample.input.dim(1));
  move_target(
      sample, [](const Array& mask) { return flipped(mask, flip); },
      [&](Point p) {
        return Point{width - p.x, p.y};
      });
}

void vertical_flip(Sample& sample) {
  vertical_flip(sample.input);
  const auto height = static_cast<double>(sample.input.dim(0));
  move_target(
      sample, [](const Array& mask) { return flipped(mask, vertical_flip); },
      [&](Point p) {
        return Point{p.x, height - p.y};
      });
}

void crop(Sample& sample, int64_t top, int64_t left, int64_t height, int64_t width,
          PaddingMode outside) {
  sample.input = fovea::crop(sample.input, top, left, height, width, outside);
  move_target(
      sample,
      [&](const Array& mask) { return fovea::crop(mask, top, left, height, width, outside); },
      [&](Point p) {
        return Point{p.x - static_cast<double>(left), p.y - static_cast<double>(top)};
      });
}

void warp(Sample& sample, const Matrix3& matrix, Filter filter) {
  sample.input = fovea::warp(sample.input, matrix, filter);
  move_target(
      sample, [&](const Array& mask) { return fovea::warp(mask, matrix, Filter::nearest); },
      [&](Point p) { return moved(matrix, p); });
}

void prepare(Sample& sample, const Preprocessing& preprocessing) {
  const auto move_point = prepared_point(sample.input.dim(0), sample.input.dim(1), preprocessing);
  sample.input = changed_picture(
      sample.input, [&](const auto& image) { return fovea::prepare(image, preprocessing); });
  const auto move_mask = [&](const Array& mask) {
    Preprocessing own = preprocessing;
    own.channels = 1;
    own.mean = {0};
    own.std = {1};
    own.filter = Filter::nearest;
    if (own.letterbox) own.letterbox = 0;
    return changed_picture(mask, [&](const auto& image) { return fovea::prepare(image, own); });
  };
  move_target(sample, move_mask, move_point);
}

void resize(Sample& sample, int height, int width) {
  const double y = height / static_cast<double>(sample.input.dim(0));
  const double x = width / static_cast<double>(sample.input.dim(1));
  const auto resized = [&](const Array& image, Filter filter) {
    return changed_picture(
        image, [&](const auto& picture) { return fovea::resize(picture, height, width, filter); });
  };
  sample.input = resized(sample.input, Filter::bilinear);
  move_target(
      sample, [&](const Array& mask) { return resized(mask, Filter::nearest); },
      [&](Point p) {
        return Point{p.x * x, p.y * y};
      });
}

void letterbox(Sample& sample, int height, int width, uint8_t value) {
  Preprocessing p;
  p.height = height;
  p.width = width;
  p.letterbox = value;
  const auto move_point = prepared_point(sample.input.dim(0), sample.input.dim(1), p);
  sample.input = changed_picture(sample.input, [&](const auto& image) {
    return fovea::letterbox(image, height, width, value, Filter::bilinear);
  });
  const auto move_mask = [&](const Array& mask) {
    return changed_picture(mask, [&](const auto& image) {
      return fovea::letterbox(image, height, width, 0, Filter::nearest);
    });
  };
  move_target(sample, move_mask, move_point);
}

Sample blank(int64_t height, int64_t width, uint8_t value, const Sample& like, int64_t times) {
  const bool deep = like.input.dtype() == DType::u16;
  Sample sample{Array::full(like.input.dtype(), {height, width, like.input.dim(2)},
                            deep ? value * (Image16::white / Image::white) : value),
                like.target};
  const Type type{like.target.dtype(), like.target.shape()};
  if (is_mask(type)) sample.target = Array::zeros(DType::u8, {height, width, 1});
  if (is_boxes(type)) sample.target = box_array({}, times * like.target.dim(0));
  return sample;
}

void paste(Sample& sample, const Sample& other, int64_t top, int64_t left) {
  fovea::paste(sample.input, other.input, top, left);
  const Type type{sample.target.dtype(), sample.target.shape()};
  if (is_mask(type)) fovea::paste(sample.target, other.target, top, left);
  if (!is_boxes(type)) return;
  std::vector<ClassBox> boxes = boxes_of(other.target);
  for (ClassBox& box : boxes) {
    box.x1 += static_cast<double>(left);
    box.x2 += static_cast<double>(left);
    box.y1 += static_cast<double>(top);
    box.y2 += static_cast<double>(top);
  }
  std::vector<ClassBox> all = boxes_of(sample.target);
  for (const ClassBox& box : visible(boxes, sample.input.dim(0), sample.input.dim(1)))
    all.push_back(box);
  sample.target = box_array(all, sample.target.dim(0));
}

}  // namespace fovea::data
