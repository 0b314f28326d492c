#include "fovea/ops/box_coding.h"

#include <cmath>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// Rows [begin, end) of the four.
Tensor rows(const Tensor& boxes, int64_t begin, int64_t end) {
  return slice(boxes, boxes.rank() - 2, begin, end);
}

Tensor size_of_boxes(const Tensor& boxes) { return rows(boxes, 2, 4) - rows(boxes, 0, 2); }
Tensor center_of_boxes(const Tensor& boxes) {
  return 0.5 * (rows(boxes, 0, 2) + rows(boxes, 2, 4));
}

/// Two numbers as a column that is broadcast, [2, 1].
Tensor column(double x, double y, const Tensor& like) {
  return like.graph().constant(Array::of(std::vector<double>{x, y}, {2, 1}).astype(like.dtype()));
}

/// The areas of boxes of these sizes [N, 2, A]: [N, 1, A].
Tensor area(const Tensor& size) { return rows(size, 0, 1) * rows(size, 1, 2); }

}  // namespace

Tensor encode_deltas(const Tensor& boxes, const Tensor& anchors, const DeltaWeights& w) {
  const Tensor size = size_of_boxes(anchors);
  const Tensor shift = (center_of_boxes(boxes) - center_of_boxes(anchors)) / size;
  return concat({shift * column(w[0], w[1], boxes),
                 log(size_of_boxes(boxes) / size) * column(w[2], w[3], boxes)},
                1);
}

Tensor decode_deltas(const Tensor& deltas, const Tensor& anchors, const DeltaWeights& w) {
  const double most = std::log(1000.0 / 16);
  const Tensor size = size_of_boxes(anchors);
  const Tensor center =
      rows(deltas, 0, 2) / column(w[0], w[1], deltas) * size + center_of_boxes(anchors);
  const Tensor half =
      0.5 * exp(minimum(rows(deltas, 2, 4) / column(w[2], w[3], deltas), most)) * size;
  return concat({center - half, center + half}, 1);
}

Tensor encode_distances(const Tensor& boxes, const Tensor& anchors) {
  const Tensor center = center_of_boxes(anchors), size = size_of_boxes(anchors);
  return concat({(center - rows(boxes, 0, 2)) / size, (rows(boxes, 2, 4) - center) / size}, 1);
}

Tensor decode_distances(const Tensor& distances, const Tensor& anchors) {
  const Tensor center = center_of_boxes(anchors), size = size_of_boxes(anchors);
  return concat({center - rows(distances, 0, 2) * size, center + rows(distances, 2, 4) * size}, 1);
}

Tensor centerness(const Tensor& distances) {
  const Tensor before = rows(distances, 0, 2), after = rows(distances, 2, 4);
  return sqrt(area(minimum(before, after) / maximum(before, after)));
}

Tensor giou_loss(const Tensor& a, const Tensor& b) {
  constexpr double eps = 1e-7;  // of torchvision
  const Tensor inner =
      minimum(rows(a, 2, 4), rows(b, 2, 4)) - maximum(rows(a, 0, 2), rows(b, 0, 2));
  const Tensor outer =
      maximum(rows(a, 2, 4), rows(b, 2, 4)) - minimum(rows(a, 0, 2), rows(b, 0, 2));
  const Tensor both = area(relu(inner)), hull = area(outer);
  const Tensor either = area(size_of_boxes(a)) + area(size_of_boxes(b)) - both;
  return 1.0 - both / (either + eps) + (hull - either) / (hull + eps);
}

Tensor clip_boxes(const Tensor& boxes, double height, double width) {
  const Tensor most = column(width, height, boxes);
  const auto clipped = [&](const Tensor& corner) { return minimum(maximum(corner, 0), most); };
  return concat({clipped(rows(boxes, 0, 2)), clipped(rows(boxes, 2, 4))}, 1);
}

}  // namespace fovea
