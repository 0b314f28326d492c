#include "fovea/data/transforms/mixing.h"

#include <fmt/format.h>

#include <cmath>

#include "fovea/core/error.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/metrics.h"
#include "fovea/ops/roll.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::data {

/// Jöhnk's method: for the alphas of mixing, at most 1, a few turns.
double random_share(double alpha, Random& random) {
  for (;;) {
    const double x = std::pow(random.uniform(), 1 / alpha);
    const double y = std::pow(random.uniform(), 1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

Tensor mixed(const Tensor& x, const Tensor& share) {
  const Tensor own = cast(share, x.dtype());
  return own * x + (1 - own) * roll(x, 1, 0);
}

Targets mixable(std::string_view who, const Targets& targets) {
  if (targets.type.dtype == DType::f32 && !lies_in_image(targets.type)) return targets;
  if (targets.type != class_targets({}).type) {
    throw Error(ErrorKind::usage, fmt::format("{} needs targets that are classes or numbers", who))
        .with("found", to_string(targets.type));
  }
  return {.type = {DType::f32, {std::ssize(targets.names)}}, .names = targets.names};
}

Tensor as_mixable(const Tensor& batch, const Targets& targets) {
  if (is_float(batch.dtype())) return batch;
  return one_hot(batch, std::ssize(targets.names), DType::f32);
}

}  // namespace fovea::data
