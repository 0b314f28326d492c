#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/graph/type.h"

namespace fovea::data {

/// One sample. The input is an image u8 or u16 [H,W,C], or numbers f32[C, spatial...] of any rank.
/// The target is what the task learns to predict: a class i64[], numbers f32[K], a mask, an array
/// like the input.
struct Sample {
  Array input;
  Array target;
};

/// Whether the type of an input is that of an image, u8 or u16 [H,W,C].
inline bool is_image(const Type& input) { return is_pixel(input.dtype) && input.rank() == 3; }

/// The type and names of a data set's targets, the same for every split and sample.
struct Targets {
  Type type;                       ///< of one target: i64[] for a class, f32[K] for K numbers
  std::vector<std::string> names;  ///< of the classes, or of the numbers
  /// The task that learns them by default, if their type does not imply it: numbers
  /// that are labels, 0 or 1, are for "multilabel". "": the first task that fits.
  std::string task = {};

  bool operator==(const Targets&) const = default;
};

/// The targets of a data set with these classes.
Targets class_targets(std::vector<std::string> names);

/// Samples stacked along a new first axis.
struct Batch {
  Array inputs;   ///< u8 or u16 [N,H,W,C], or f32[N,C,spatial...]
  Array targets;  ///< [N, ...]

  int64_t size() const { return inputs.dim(0); }
};

}  // namespace fovea::data
