#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ops/harness.h"

namespace fovea::harness {

/// A family of problems over random shapes, the same at every run.
struct Family {
  std::string name;
  std::function<std::vector<Sample>(DType)> make;  ///< with this float type
  double tolerance = 1e-6;                         ///< of the gradient check
};
inline void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

/// The rows of the harness: every op that can be differentiated, at least 200 shapes each.
const std::vector<Family>& families();

/// Those among them for ops on N, C, spatial values: padding, pooling with indices, resizing.
std::vector<Family> image_families();

}  // namespace fovea::harness
