#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"

namespace fovea::data {

/// One sample. The input is an image u8 or u16 [H,W,C], a clip u8 or u16 [T,H,W,C] of frames that
/// are images of one size, or numbers f32[C, spatial...] of any rank.
/// The target is what the task learns to predict: a class i64[], numbers f32[K], or something in
/// the image, which transforms move with it: a mask (see is_mask) or boxes (see is_boxes).
struct Sample {
  Array input;
  Array target;
};

/// Whether the type of an input is that of an image, u8 or u16 [H,W,C].
inline bool is_image(const Type& input) { return is_pixel(input.dtype) && input.rank() == 3; }

/// Whether the type of an input is that of a clip, u8 or u16 [T,H,W,C].
inline bool is_clip(const Type& input) { return is_pixel(input.dtype) && input.rank() == 4; }

/// Whether the type of a target is that of a mask: the class of each pixel of an image, as an image
/// of one channel u8 [H,W,1], or of each voxel of a volume f32[C,D,H,W], u8 [D,H,W,1]. A pixel is 1
/// + its class, or 0 where the class is unknown or does not count: what lies beyond the border of a
/// mask is 0, as it is black of an image.
inline bool is_mask(const Type& target) {
  return target.dtype == DType::u8 && (target.rank() == 3 || target.rank() == 4) &&
         target.dim(target.rank() - 1) == 1;
}
/// The largest number of classes of a mask.
constexpr int64_t most_mask_classes = 255;

/// Whether the type of a target is that of boxes: f32[M,5], whose rows are (x1, y1, x2, y2, c). The
/// corners are in pixels of the sample's image as it is at that point: x from 0 at its left border
/// to its width, y from 0 at its top to its height, x1 < x2, y1 < y2. c is 1 + the class; -(1 + the
/// class) for a region that does not count, where finding it or not is neither right nor wrong
/// (COCO's crowds, VOC's difficult objects); 0 for an absent box: the rows after the last one are
/// 0. See boxes.h.
inline bool is_boxes(const Type& target) {
  return target.dtype == DType::f32 && target.rank() == 2 && target.dim(1) == 5;
}

/// Whether transforms move a target of this type with the image.
inline bool lies_in_image(const Type& target) { return is_mask(target) || is_boxes(target); }

/// The type and names of a data set's targets, the same for every split and sample.
struct Targets {
  /// Of one target: i64[] for a class, f32[K] for K numbers; for what lies in an image without the
  /// sizes that target_type adds: u8[0,0,1] for masks, whose sides are those of the image
  /// (u8[0,0,0,1] for those of volumes), f32[0,5] for boxes, of which there are `capacity` rows.
  Type type;
  std::vector<std::string> names;  ///< of the classes, or of the numbers
  /// The task that learns them by default, if their type does not imply it: numbers
  /// that are labels, 0 or 1, are for "multilabel". "": the first task that fits.
  std::string task = {};
  int64_t capacity = 0;  ///< of boxes: at least as many as any image has
  /// The numbers by which the data set calls the classes, such as COCO's category ids; empty: none.
  std::vector<int64_t> ids = {};

  bool operator==(const Targets&) const = default;
};

/// The targets of a data set with these classes.
Targets class_targets(std::vector<std::string> names);
/// Masks with these classes, of images or, with three axes, of volumes. Errors: usage when there
/// are none, or more than most_mask_classes.
Targets mask_targets(std::vector<std::string> names, int axes = 2);

/// Boxes with these classes. Errors: usage when there are no classes, or `capacity` is below 1.
Targets box_targets(std::vector<std::string> names, int64_t capacity);

/// The type of a target beside an input of that type: that of `targets`, with the sides of the
/// image or volume if it is a mask, and their number if they are boxes. Errors: usage for masks and
/// boxes beside anything else.
Type target_type(const Targets& targets, const Type& input);

/// Samples stacked along a new first axis.
struct Batch {
  Array inputs;   ///< u8 or u16 [N,H,W,C] or [N,T,H,W,C], or f32[N,C,spatial...]
  Array targets;  ///< [N, ...]

  int64_t size() const { return inputs.dim(0); }
};

}  // namespace fovea::data
