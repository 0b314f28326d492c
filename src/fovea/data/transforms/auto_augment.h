#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "fovea/core/random.h"
#include "fovea/data/sample.h"
#include "fovea/images/geometry.h"

// The operations that RandAugment and TrivialAugment choose from, and how strong they are.
namespace fovea::data {

/// One operation, by torchvision's name.
struct AutoOperation {
  std::string_view name;
  /// Its strengths, weakest first, for an image of height x width; empty if it has none.
  std::vector<double> (*magnitudes)(int64_t height, int64_t width);
  bool is_signed;  ///< whether the sign of the magnitude is random
  /// `filter` is used by operations that move pixels: a mask moves with them.
  void (*apply)(Sample& sample, double magnitude, Filter filter);
};

/// Of 31 strengths each: those of RandAugment (Cubuk et al. 2020), and of TrivialAugment's wide
/// space (Müller and Hutter 2021).
std::span<const AutoOperation> rand_augment_operations();
std::span<const AutoOperation> trivial_augment_operations();
constexpr int magnitude_count = 31;

}  // namespace fovea::data
