#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/core/random.h"
#include "fovea/data/sample.h"
#include "fovea/graph/graph.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// What a transform receives besides the sample.
struct TransformContext {
  Random random;       ///< from (seed, epoch, sample, place): all randomness comes from it
  Random lasting;      ///< from (seed, sample, place): the same numbers in every epoch
  int64_t epoch = 0;   ///< counted from 0
  int64_t height = 0;  ///< of the net's images; 0 if samples are not resized
  int64_t width = 0;   ///< likewise
  /// Another sample of the data set, as this one was before the first transform; where nobody sets
  /// it, there is no other one.
  std::function<Sample(Random&)> other = nullptr;

  /// The context that the loader provides: `place` distinguishes the lists of one run, `samples` is
  /// the size of the data set.
  TransformContext(uint64_t seed, std::string_view place, int64_t epoch, int64_t samples,
                   int64_t sample);
};

/// A transform of one training sample, image and target together.
class Transform {
 public:
  virtual ~Transform() = default;

  /// As --augment parses it: "crop:4".
  virtual std::string text() const = 0;
  /// The type of the transformed input: by default the same. Errors: usage when the transform does
  /// not fit.
  virtual Type output(const Type& input) const { return input; }
  /// The transformed targets, by default the same. Errors: usage when the transform does not fit.
  virtual Targets targets(const Targets& given) const { return given; }
  /// Whether it decides which part of an image the net sees: it works on the image at its own size,
  /// and the result is scaled directly to the net's size, without cropping.
  virtual bool frames() const { return false; }
  /// The size that images may be decoded at for this step, so that what it makes of them is not
  /// below `wanted`; {}: their own, for steps that depend on it.
  virtual MinimumSize minimum_size(const MinimumSize& wanted) const;
  /// For a step that chooses which stretch of a longer recording is read (see Dataset::stretch):
  /// its place, from 0, the beginning, to 1, the end; by default none. The loader asks before
  /// reading, with numbers from (seed, epoch, sample, "stretch").
  virtual std::optional<double> stretch(Random&) const { return std::nullopt; }
  /// For a step that frames without chance: makes validation and prediction frame the same way.
  virtual void prepare_likewise(Preprocessing&) const {}
  /// Transforms the sample: writes to its arrays, which are private to the caller, or replaces them
  /// by others of the announced types.
  virtual void operator()(Sample& sample, TransformContext& context) const = 0;
};

/// Whether the step says which stretch of a recording is read.
bool chooses_stretch(const Transform& step);

/// A batch in the graph of a training step.
struct BatchTensors {
  Tensor inputs;   ///< [N, C, spatial...], as the net takes them: normalised
  Tensor targets;  ///< [N, ...]
};

/// A transform of training batches, which mixes their samples: a few ops in the graph of the
/// training step, compiled with it. What is random is drawn for each batch and is an input of the
/// graph.
class BatchTransform {
 public:
  virtual ~BatchTransform() = default;

  /// As --augment parses it: "mixup:0.2".
  virtual std::string text() const = 0;
  /// The transformed targets, by default the same. Errors: usage when the transform does not fit.
  virtual Targets output(const Targets& targets) const { return targets; }
  /// Errors: usage when the transform does not fit inputs of this type, [C, spatial...] of one
  /// sample.
  virtual void check_input(const Type&) const {}
  /// Draws the random numbers for a batch of inputs of this shape, [N, C, spatial...]: any number
  /// of arrays, whose types depend on the shape alone.
  virtual std::vector<Array> draw(const Shape& inputs, Random& random) const = 0;
  /// Builds the transformed batch; `targets` describes its targets, `random` are the arrays of
  /// `draw`.
  virtual BatchTensors trace(const BatchTensors& batch, const Targets& targets,
                             const Tensors& random) const = 0;
};

using AnyTransform =
    std::variant<std::shared_ptr<const Transform>, std::shared_ptr<const BatchTransform>>;

/// One row of the table of transforms.
struct TransformEntry {
  Choice choice;
  std::string example = {};  ///< a text that selects it, for the documentation
  std::function<AnyTransform(const Arguments&)> make;
  bool numbers = false;  ///< for inputs f32[C, spatial...], not for images
};

/// The table, built-in ones first.
const std::vector<TransformEntry>& transforms();

/// Adds a transform of your own, which --augment and recipes can then use by name. Not thread-safe:
/// call it before transforms are used. Errors: usage when the name is taken or means something else
/// in a list, or as check(Choice).
void add_transform(TransformEntry entry);

/// The transform that a text such as "crop:4" describes. Errors: usage for an unknown name or bad
/// arguments, listing the known ones.
AnyTransform make_transform(const ChoiceText& text);

/// Errors: usage, naming `who`, unless the input is an image u8 or u16 [H,W,C].
void require_image(std::string_view who, const Type& input);
/// The same, with one or three channels.
void require_colors(std::string_view who, const Type& input);

}  // namespace fovea::data
