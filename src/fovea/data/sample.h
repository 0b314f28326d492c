#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"

namespace fovea::data {

/// One sample. The input is an image u8 or u16 [H,W,C], or numbers f32[C, spatial...] of any rank.
/// The target is what the task learns to predict: a class i64[], numbers f32[K], or a mask (see
/// is_mask), which transforms move with the image.
struct Sample {
  Array input;
  Array target;
};

/// Whether the type of an input is that of an image, u8 or u16 [H,W,C].
inline bool is_image(const Type& input) { return is_pixel(input.dtype) && input.rank() == 3; }

/// Whether the type of a target is that of a mask: the class of each pixel of an image, as an image
/// of one channel u8 [H,W,1]. A pixel is 1 + its class, or 0 where the class is unknown or does not
/// count: what lies beyond the border of a mask is 0, as it is black of an image.
inline bool is_mask(const Type& target) {
  return target.dtype == DType::u8 && target.rank() == 3 && target.dim(2) == 1;
}
/// The largest number of classes of a mask.
constexpr int64_t most_mask_classes = 255;

/// The type and names of a data set's targets, the same for every split and sample.
struct Targets {
  /// Of one target: i64[] for a class, f32[K] for K numbers, u8[0,0,1] for masks, whose sides are
  /// those of the images (see target_type).
  Type type;
  std::vector<std::string> names;  ///< of the classes, or of the numbers
  /// The task that learns them by default, if their type does not imply it: numbers
  /// that are labels, 0 or 1, are for "multilabel". "": the first task that fits.
  std::string task = {};

  bool operator==(const Targets&) const = default;
};

/// The targets of a data set with these classes.
Targets class_targets(std::vector<std::string> names);
/// Masks with these classes. Errors: usage when there are none, or more than most_mask_classes.
Targets mask_targets(std::vector<std::string> names);

/// The type of a target beside an input of that type: that of `targets`, with the sides of the
/// image if it is a mask. Errors: usage for a mask beside anything but an image.
Type target_type(const Targets& targets, const Type& input);

/// Samples stacked along a new first axis.
struct Batch {
  Array inputs;   ///< u8 or u16 [N,H,W,C], or f32[N,C,spatial...]
  Array targets;  ///< [N, ...]

  int64_t size() const { return inputs.dim(0); }
};

}  // namespace fovea::data
