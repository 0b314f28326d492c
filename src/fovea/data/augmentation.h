#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/data/transform.h"

namespace fovea::data {

/// The transforms of training samples and batches; none by default.
struct Augmentation {
  std::vector<std::shared_ptr<const Transform>> before;  ///< in order, before images are resized
  std::vector<std::shared_ptr<const Transform>> after;   ///< in order, at the net's input size
  std::vector<std::shared_ptr<const BatchTransform>> batch;  ///< in order: see Mixing

  /// Parses --augment: `none`, `standard`, which is the list `standard`, or a comma-separated list
  /// of the table's transforms, in order.
  /// `resize` in the list marks where images are resized; by default right after the last step that
  /// frames, or else first. Errors: usage, listing the known ones.
  static Augmentation parse(std::string_view text, std::string_view standard = "crop:4,flip:0.5");
  /// What is standard for these samples: crop:4,flip:0.5 for images of one size; for others
  /// scale-jitter,flip:0.5 with boxes and random-resized-crop,flip:0.5 without; crop:4 for clips,
  /// which a flip may turn into others; none for numbers.
  static std::string_view standard(const Dataset& samples);
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

/// Parses --mix: one transform of batches, such as "mixup:0.2". Errors: usage, listing them.
std::shared_ptr<const BatchTransform> parse_mixing(std::string_view text);
/// What parse_mixing accepts, in one line: "mixup[:ALPHA] or cutmix[:ALPHA]".
std::string mixing_usage();

/// The targets after all steps in order.
Targets targets_after(const std::vector<std::shared_ptr<const Transform>>& steps, Targets targets);

/// The type of an input after all steps in order. Errors: usage, naming --augment, when one does
/// not fit.
Type output(const std::vector<std::shared_ptr<const Transform>>& steps, Type input);

/// The transforms of a run's training batches, as part of the training step's graph; none by
/// default.
class Mixing {
 public:
  Mixing() = default;
  /// `input`: the type of one sample's input as the net takes it, [C, spatial...]; `targets`: those
  /// of the data set. Errors: usage, naming --augment, when a step does not fit.
  Mixing(std::vector<std::shared_ptr<const BatchTransform>> steps, const Type& input,
         Targets targets);

  /// Adds all steps in order to the batch's graph; their random numbers are further inputs of it.
  BatchTensors trace(BatchTensors batch) const;
  /// The random numbers for a batch of inputs [N, C, spatial...] by the names of those inputs, from
  /// (seed, "mix", step).
  std::map<std::string, Array, std::less<>> draw(const Shape& inputs, uint64_t seed,
                                                 int64_t step) const;

 private:
  /// Of each step.
  std::vector<std::vector<Array>> numbers(const Shape& inputs, uint64_t seed, int64_t step) const;

  std::vector<std::shared_ptr<const BatchTransform>> steps_;
  std::vector<Targets> targets_;  ///< before each step
};

}  // namespace fovea::data
