#include "fovea/optim/adam.h"

#include <algorithm>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::optim {
namespace {

/// What a running mean that began at 0 is divided by after t steps: 1 - beta^t.
Tensor bias_correction(double beta, const Tensor& t) {
  return 1 - pow(std::max(beta, 1e-300), t);  // beta 0 gives 1
}

}  // namespace

std::vector<Moment> Adam::moments(const Type& parameter) const {
  return {{"exp_avg", parameter}, {"exp_avg_sq", parameter}, {"step", {DType::i64, {}}}};
}

Adam::Step Adam::step(ParameterStep& p) const {
  Tensor &m = p["exp_avg"], &v = p["exp_avg_sq"], &count = p["step"];
  const Tensor g = p.gradient;
  count = increment(count);
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * (g * g);
  // What depends only on the step is computed in float64.
  const Tensor t = cast(count, DType::f64);
  const Tensor correction = bias_correction(beta2, t);
  const Tensor scale = p.as_parameter(sqrt(correction) / correction);  // 1 / sqrt(correction)
  return {m / (sqrt(v) * scale + eps), bias_correction(beta1, t)};
}

std::vector<Argument> Adam::arguments() const {
  const auto beta = [](const char* name, double value, const char* of) {
    return Argument{.name = name,
                    .default_value = value,
                    .maximum = 1,
                    .open_maximum = true,
                    .help = std::string("decay of the running mean of ") + of};
  };
  return {beta("beta1", beta1, "gradients"),
          beta("beta2", beta2, "squared gradients"),
          {.name = "eps", .default_value = eps, .help = "added to the root of the mean square"}};
}

Adam Adam::read(const Arguments& a) {
  return {.beta1 = a.number("beta1"), .beta2 = a.number("beta2"), .eps = a.number("eps")};
}

}  // namespace fovea::optim
