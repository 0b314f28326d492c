#pragma once

#include <array>

#include "fovea/graph/graph.h"

// Boxes as detection nets code them, made of ops. Boxes and codes are [N, 4, A], anchors [4, A]
// (broadcast), all of one float type; boxes are x1, y1, x2, y2 in pixels. Errors: usage, as those
// of the ops, when types differ or shapes do not fit.
namespace fovea {

/// Factors of the four deltas.
using DeltaWeights = std::array<double, 4>;

/// The deltas from anchors to boxes: the distance of the centres in x and y as a share of the
/// anchor's width and height, and the logarithms of the ratios of widths and heights (Girshick et
/// al. 2013), each times its weight. Of boxes without area they are not finite.
Tensor encode_deltas(const Tensor& boxes, const Tensor& anchors, const DeltaWeights& weights);
/// The boxes that deltas say; the logarithms are cut at log(1000 / 16), as in torchvision.
Tensor decode_deltas(const Tensor& deltas, const Tensor& anchors, const DeltaWeights& weights);

/// The distances from the centres of anchors to the left, upper, right and lower side of boxes, as
/// shares of the anchor's width and height; negative outside.
Tensor encode_distances(const Tensor& boxes, const Tensor& anchors);
/// The boxes that such distances say: the inverse of encode_distances.
Tensor decode_distances(const Tensor& distances, const Tensor& anchors);

/// How central a point is in its box, from distances: the square root of the smaller over the
/// larger of left and right, times that of up and down; 1 at the centre, 0 at a side: [N, 1, A].
/// Not finite outside the box.
Tensor centerness(const Tensor& distances);

/// 1 - the generalised intersection over union (Rezatofighi et al. 2019) of boxes a and b: [N, 1,
/// A], from 0 to 2.
Tensor giou_loss(const Tensor& a, const Tensor& b);

/// Boxes cut at the borders of an image.
Tensor clip_boxes(const Tensor& boxes, double height, double width);

}  // namespace fovea
