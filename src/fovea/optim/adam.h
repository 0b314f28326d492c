#pragma once

#include "fovea/optim/optimizer.h"

namespace fovea::optim {

/// What Adam and its variants share: running means of the gradient, m, and of its square, v, and
/// the number t of a parameter's updates, kept as "exp_avg:PARAMETER", "exp_avg_sq:PARAMETER" and
/// "step:PARAMETER".
struct Adam {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;

  std::vector<Moment> moments(const Type& parameter) const;

  /// m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) is `direction` / `correction`.
  struct Step {
    Tensor direction;   ///< of the parameter's type
    Tensor correction;  ///< a scalar in float64
  };
  /// Updates the three and computes the step.
  Step step(ParameterStep& p) const;

  /// The arguments beta1, beta2 and eps with these values as defaults, and the values given.
  std::vector<Argument> arguments() const;
  static Adam read(const Arguments& a);
};

}  // namespace fovea::optim
