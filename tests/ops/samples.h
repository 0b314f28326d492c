#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "ops/harness.h"

namespace fovea::harness {

/// The values of a function of Tensors, computed by hand.
struct Worked {
  Function f;
  std::vector<Data> in;
  std::vector<double> out;  ///< of its first result
};

/// A mistake that a user can make, and the message.
struct Refused {
  Function f;
  Types in;
  std::string message;
};

/// One row of the harness: an op, or a family of them, over random shapes, the same at every run.
/// From it come the checks of gradients, of fields, of the texts of problems, and that there is a
/// fast kernel; besides, what nobody can draw at random.
struct Family {
  std::string name;
  std::function<std::vector<Sample>(DType)> make;  ///< with this float type
  double tolerance = 1e-6;                         ///< of the gradient check
  /// Worked examples: needed where scripts/golden/ops.py has no values of PyTorch's.
  std::vector<Worked> worked = {};
  std::vector<Refused> refused = {};
  /// Why there is no fast kernel yet. Ops that say nothing must have one.
  std::string without_kernel = {};
};
inline void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

/// The rows of the harness: every op that can be differentiated, at least 200 shapes each.
const std::vector<Family>& families();

/// Those among them for ops on N, C, spatial values: padding, pooling with indices, resizing.
std::vector<Family> image_families();

}  // namespace fovea::harness
