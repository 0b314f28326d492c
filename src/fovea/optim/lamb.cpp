#include "fovea/optim/lamb.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/optim/adam.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

constexpr double default_eps = LambOptions{}.eps;

/// a / b, or 1 where either is 0; both are 0 or more.
Tensor ratio(const Tensor& a, const Tensor& b) {
  const Tensor both = sign(a) * sign(b);
  return both * (a / (b + (1 - sign(b)))) + (1 - both);
}

class Lamb final : public Optimizer {
 public:
  Lamb(const Adam& adam, const WeightDecay& decay) : Optimizer(decay), adam_(adam) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    return adam_.moments(parameter);
  }

  void step(ParameterStep& p) const override {
    const auto [direction, correction] = adam_.step(p);
    const Tensor update = direction / p.as_parameter(correction) + p.weight_decay * p.parameter;
    const Tensor trust = ratio(sqrt(sum_of_squares(p.parameter)), sqrt(sum_of_squares(update)));
    p.parameter = p.parameter - p.as_parameter(p.lr64 * trust) * update;
  }

 private:
  Adam adam_;
};

}  // namespace

std::unique_ptr<Optimizer> lamb(const LambOptions& o) {
  return std::make_unique<Lamb>(Adam{.beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps},
                                WeightDecay{o.weight_decay, o.decay});
}

Entry lamb_entry() {
  return {.choice = {.name = "lamb",
                     .arguments = Adam{.eps = default_eps}.arguments(),
                     .help = "Adam with a step proportional to the norm of each array, for large "
                             "batches"},
          .make = [](const Arguments& a, const WeightDecay& decay) -> std::unique_ptr<Optimizer> {
            return std::make_unique<Lamb>(Adam::read(a), decay);
          }};
}

}  // namespace fovea::optim
