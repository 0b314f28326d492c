#include "fovea/optim/adamw.h"

#include <algorithm>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

/// What a running mean that began at 0 is divided by after t steps: 1 - beta^t.
Tensor bias_correction(double beta, const Tensor& t) {
  return 1 - pow(std::max(beta, 1e-300), t);  // beta 0 gives 1
}

class AdamW final : public Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options)
      : Optimizer({options.weight_decay, options.decay}), options_(options) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    return {{"exp_avg", parameter}, {"exp_avg_sq", parameter}, {"step", {DType::i64, {}}}};
  }

  void step(ParameterStep& p) const override {
    const auto& [beta1, beta2, eps, weight_decay, decay] = options_;
    Tensor &m = p["exp_avg"], &v = p["exp_avg_sq"], &count = p["step"];
    const Tensor g = p.gradient;
    count = increment(count);
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * (g * g);

    // What depends only on the step is computed in float64.
    const Tensor t = cast(count, DType::f64);
    const Tensor kept = p.as_parameter(1 - p.lr64 * p.weight_decay);
    const Tensor rate = p.as_parameter(p.lr64 / bias_correction(beta1, t));
    const Tensor root = p.as_parameter(sqrt(bias_correction(beta2, t)));
    p.parameter = kept * p.parameter - rate * (m / (sqrt(v) / root + eps));
  }

 private:
  AdamWOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> adamw(const AdamWOptions& options) {
  return std::make_unique<AdamW>(options);
}

Entry adamw_entry() {
  const auto beta = [](const char* name, double value, const char* of) {
    return Argument{.name = name,
                    .default_value = value,
                    .maximum = 1,
                    .open_maximum = true,
                    .help = std::string("decay of the running mean of ") + of};
  };
  return {.choice = {.name = "adamw",
                     .arguments = {beta("beta1", 0.9, "gradients"),
                                   beta("beta2", 0.999, "squared gradients"),
                                   {.name = "eps",
                                    .default_value = 1e-8,
                                    .minimum = 0,
                                    .help = "added to the root of the mean square"}},
                     .help = "Adam with decoupled weight decay"},
          .make = [](const Arguments& a, const WeightDecay& decay) {
            return adamw({.beta1 = a.number("beta1"),
                          .beta2 = a.number("beta2"),
                          .eps = a.number("eps"),
                          .weight_decay = decay.amount,
                          .decay = decay.parameters});
          }};
}

}  // namespace fovea::optim
