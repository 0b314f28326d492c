#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/transform.h"

namespace fovea::data {

/// What is done to the samples and batches of training before the net sees them; nothing by
/// default.
struct Augmentation {
  std::vector<std::shared_ptr<const Transform>> before;  ///< in order, before images are resized
  std::vector<std::shared_ptr<const Transform>> after;   ///< in order, at the net's input size
  std::vector<std::shared_ptr<const BatchTransform>> batch;

  /// Reads the text of --augment: `none`, `standard` (crop:4,flip:0.5, and where images differ in
  /// size random-resized-crop,flip:0.5), or a comma-separated list of the table's transforms, in
  /// order. `resize` in the list is the place where images are resized; by default that comes
  /// right after the last step that frames, or else first. Errors: usage, listing what there is.
  static Augmentation parse(std::string_view text, bool one_size = true);
  /// What parse reads, in one line: "none, standard (...), or a comma-separated list of resize,
  /// crop,
  /// ...".
  static std::string usage();

  /// The text that parse reads back to the same steps: "crop:4,flip:0.5", "none".
  std::string text() const;

  /// Whether one of the steps before resizing frames: images are then scaled straight to the net's
  /// size.
  bool frames() const;
  bool empty() const { return before.empty() && after.empty() && batch.empty(); }
};

/// The type that the steps make of such an input, one after the other. Errors: usage, of --augment,
/// when one cannot be done.
Type output(const std::vector<std::shared_ptr<const Transform>>& steps, Type input);

/// The same of the steps on batches.
Targets output(const std::vector<std::shared_ptr<const BatchTransform>>& steps, Targets targets);

/// Errors: usage, of --augment, when one of them cannot be done to batches of such inputs.
void check_input(const std::vector<std::shared_ptr<const BatchTransform>>& steps,
                 const Type& input);

}  // namespace fovea::data
