#pragma once

#include "fovea/core/shape.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// Noise images, each generated on demand and always the same: for measuring the cost of a net
/// without a data set.
class Noise : public Dataset {
 public:
  /// `input` is C, H, W for images u8, or C and other spatial axes for numbers f32. Classes
  /// alternate, other targets are zeros. Errors: usage when a number is below 1.
  Noise(int64_t size, const Shape& input, Targets targets);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  Array target(int64_t i) const override;
  std::optional<Type> input() const override { return input_; }
  const Targets& targets() const override { return targets_; }

 private:
  int64_t size_;
  Type input_;
  Targets targets_;
};

/// Gray 32x32 images of one bright disc on a noisy background, generated on demand. The target is
/// three numbers, as fractions of the side: the disc's centre, x and y from 0.2 to 0.8, and its
/// radius, from 0.08 to 0.25. The noise keeps the regression from being exact.
class Discs : public Dataset {
 public:
  /// `seed` selects the discs: those of training and test differ. Errors: usage below 1 image.
  Discs(int64_t size, uint64_t seed);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  Array target(int64_t i) const override;
  std::optional<Type> input() const override;
  const Targets& targets() const override { return targets_; }

 private:
  int64_t size_;
  uint64_t seed_;
  Targets targets_;
};

}  // namespace fovea::data
