#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/transform.h"

namespace fovea::data {

/// The transforms of training samples and batches; none by default.
struct Augmentation {
  std::vector<std::shared_ptr<const Transform>> before;  ///< in order, before images are resized
  std::vector<std::shared_ptr<const Transform>> after;   ///< in order, at the net's input size
  std::vector<std::shared_ptr<const BatchTransform>> batch;

  /// Parses --augment: `none`, `standard` (crop:4,flip:0.5, or random-resized-crop,flip:0.5 if
  /// images differ in size), or a comma-separated list of the table's transforms, in order.
  /// `resize` in the list marks where images are resized; by default right after the last step that
  /// frames, or else first. Errors: usage, listing the known ones.
  static Augmentation parse(std::string_view text, bool one_size = true);
  /// What parse accepts, in one line: "none, standard (...), or a comma-separated list of resize,
  /// crop, ...".
  static std::string usage();

  /// The text that parse turns back into the same steps: "crop:4,flip:0.5", "none".
  std::string text() const;

  /// Whether one of the steps before resizing frames: images are then scaled directly to the net's
  /// size.
  bool frames() const;
  bool empty() const { return before.empty() && after.empty() && batch.empty(); }
};

/// The type of an input after all steps in order. Errors: usage, naming --augment, when one does
/// not fit.
Type output(const std::vector<std::shared_ptr<const Transform>>& steps, Type input);

/// The same for the steps on batches.
Targets output(const std::vector<std::shared_ptr<const BatchTransform>>& steps, Targets targets);

/// Errors: usage, naming --augment, when one of them does not fit batches of such inputs.
void check_input(const std::vector<std::shared_ptr<const BatchTransform>>& steps,
                 const Type& input);

}  // namespace fovea::data
