#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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
  std::string name;   ///< "crop"
  std::string usage;  ///< "crop[:PAD]"
  std::string help;   ///< one line
  /// Makes it from the text after the colon, "" where there is none (`given` tells them apart).
  /// Errors: usage, a headline without the flag: "crop:PAD takes pixels, ...".
  std::function<AnyTransform(std::string_view argument, bool given)> make;
};

/// The table, built-in ones first.
const std::vector<TransformEntry>& transforms();

/// Adds one of your own, so that --augment and recipes know it by its name. Not thread-safe: before
/// anything is made. Errors: usage when the name is taken or means something else in a list.
void add_transform(TransformEntry entry);

/// The argument as a number, `usual` where none was given. Errors: usage, the headline `expected`
/// with the text behind it, when it is no number in [low, high], or not an integer where `integer`.
double number_argument(std::string_view argument, bool given, double usual, double low, double high,
                       bool integer, std::string_view expected);

/// Errors: usage, naming `who`, unless the input is an image u8[H,W,C].
void require_image(std::string_view who, const Type& input);

}  // namespace fovea::data
