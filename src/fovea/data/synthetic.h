#pragma once

#include "fovea/core/shape.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// Images of noise that nobody holds: each is made when it is asked for, always the same. To see
/// what a net costs where there is no data set.
class Noise : public Dataset {
 public:
  /// `input` is C, H, W of images u8, or C and other spatial axes of numbers f32. Classes come in
  /// turn, other targets are zeros. Errors: usage when a number is below 1.
  Noise(int64_t size, const Shape& input, Targets targets);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override { return input_; }
  const Targets& targets() const override { return targets_; }

 private:
  int64_t size_;
  Type input_;
  Targets targets_;
};

/// Gray images 32x32 of one bright disc on a noisy background, made when they are asked for. The
/// target is three numbers, all in shares of the side: where its centre is, x and y from 0.2 to
/// 0.8, and its radius, from 0.08 to 0.25. A true regression: the noise hides a little of it.
class Discs : public Dataset {
 public:
  /// `seed` says which discs: those of training and test differ. Errors: usage below 1 image.
  Discs(int64_t size, uint64_t seed);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override;
  const Targets& targets() const override { return targets_; }

 private:
  int64_t size_;
  uint64_t seed_;
  Targets targets_;
};

}  // namespace fovea::data
