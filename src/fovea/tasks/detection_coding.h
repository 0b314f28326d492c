#pragma once

#include "fovea/ops/detection.h"

// What each kind of detection net means by its numbers, and its loss: see DetectionKind.
namespace fovea::tasks {

/// What a net says, taken apart.
struct SaidBoxes {
  DetectionHead head;
  Tensor logits;      ///< [N, K, A]
  Tensor codes;       ///< [N, 4, A]
  Tensor centerness;  ///< [N, 1, A], of fcos
  Tensor anchors;     ///< [4, A]
};
/// Errors: usage when `output` is not of a DetectionHead.
SaidBoxes said_boxes(const Tensor& output);

/// What the net says at each level of its pyramid: the logits, the codes and, of fcos, the
/// centerness. Empty where it does not join these, each [N, ..., A], from one Tensor per level.
std::vector<Tensors> predictions_of_levels(const SaidBoxes& said);

/// Which boxes are shown; those not given are the net's own.
struct BoxChoice {
  std::optional<double> score, nms;
  std::optional<int64_t> max_boxes;
};

/// The boxes that a net found: f32[N, max_boxes, 6], see KeepDetections.
Tensor found_boxes(const Tensor& output, const BoxChoice& choice = {});

/// The boxes that a net says, one per anchor, [N, 4, A] in pixels of the image.
Tensor anchor_boxes(const Tensor& output);

/// The loss for targets f32[N, M, 5], as torchvision computes it for nets of that kind:
///
///   retinanet  of each image the focal loss of the classes, and the L1 distance of the deltas,
///              over the number of its matched anchors; the mean over the images
///   fcos       focal loss, 1 - GIoU and the cross-entropy of the centerness, over the number of
///              matched points in the batch
///   ssd        the cross-entropy of the matched anchors and of three times as many others, those
///              with the largest, and the smooth L1 distance of the deltas, over the number of
///              matched anchors in the batch
Tensor detection_loss(const Tensor& output, const Tensor& targets);

}  // namespace fovea::tasks
