#include "fovea/optim/adamw.h"

#include "fovea/ops/arithmetic.h"
#include "fovea/optim/adam.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

class AdamW final : public Optimizer {
 public:
  AdamW(const Adam& adam, const WeightDecay& decay) : Optimizer(decay), adam_(adam) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    return adam_.moments(parameter);
  }

  void step(ParameterStep& p) const override {
    const auto [direction, correction] = adam_.step(p);
    const Tensor kept = p.as_parameter(1 - p.lr64 * p.weight_decay);
    const Tensor rate = p.as_parameter(p.lr64 / correction);
    p.parameter = kept * p.parameter - rate * direction;
  }

 private:
  Adam adam_;
};

}  // namespace

std::unique_ptr<Optimizer> adamw(const AdamWOptions& o) {
  return std::make_unique<AdamW>(Adam{.beta1 = o.beta1, .beta2 = o.beta2, .eps = o.eps},
                                 WeightDecay{o.weight_decay, o.decay});
}

Entry adamw_entry() {
  return {.choice = {.name = "adamw",
                     .arguments = Adam{}.arguments(),
                     .help = "Adam with decoupled weight decay"},
          .make = [](const Arguments& a, const WeightDecay& decay) -> std::unique_ptr<Optimizer> {
            return std::make_unique<AdamW>(Adam::read(a), decay);
          }};
}

}  // namespace fovea::optim
