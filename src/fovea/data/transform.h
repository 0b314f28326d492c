#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/core/random.h"
#include "fovea/data/sample.h"

namespace fovea::data {

/// What is done to one training sample, image and target together.
class Transform {
 public:
  virtual ~Transform() = default;

  /// As --augment reads it back: "crop:4".
  virtual std::string text() const = 0;
  /// The type of the input that it makes of such a one: by default the same. Errors: usage when it
  /// cannot be done to it.
  virtual Type output(const Type& input) const { return input; }
  /// Changes the sample: writes into its arrays, which are the caller's own, or replaces them by
  /// others of the agreed types. All chance comes from `random`.
  virtual void operator()(Sample& sample, Random& random) const = 0;
};

/// What is done to a training batch: mixing its samples.
class BatchTransform {
 public:
  virtual ~BatchTransform() = default;

  virtual std::string text() const = 0;
  /// The targets that it makes of such ones, by default the same. Errors: usage when it cannot be
  /// done to them.
  virtual Targets output(const Targets& targets) const { return targets; }
  /// As Transform's; `targets` says what the batch's targets are.
  virtual void operator()(Batch& batch, const Targets& targets, Random& random) const = 0;
};

using AnyTransform =
    std::variant<std::shared_ptr<const Transform>, std::shared_ptr<const BatchTransform>>;

/// One row of the table of transforms.
struct TransformEntry {
  Choice choice;
  std::function<AnyTransform(const Arguments&)> make;
};

/// The table, built-in ones first.
const std::vector<TransformEntry>& transforms();

/// Adds one of your own, so that --augment and recipes know it by its name. Not thread-safe: before
/// anything is made. Errors: usage when the name is taken or means something else in a list, or as
/// check(Choice).
void add_transform(TransformEntry entry);

/// The transform of the table that a text such as "crop:4" stands for. Errors: usage for an unknown
/// name or bad arguments, with what there is.
AnyTransform make_transform(const ChoiceText& text);

/// Errors: usage, naming `who`, unless the input is an image u8[H,W,C].
void require_image(std::string_view who, const Type& input);

}  // namespace fovea::data
