#include "fovea/optim/rmsprop.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

class RmsProp final : public Optimizer {
 public:
  explicit RmsProp(const RmsPropOptions& options)
      : Optimizer({options.weight_decay, options.decay}), options_(options) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    std::vector<Moment> all{{"square_avg", parameter}};
    if (options_.momentum != 0) all.push_back({"momentum", parameter});
    if (options_.centered) all.push_back({"grad_avg", parameter});
    return all;
  }

  void step(ParameterStep& p) const override {
    const double alpha = options_.alpha;
    const Tensor g = p.weight_decay * p.parameter + p.gradient;
    Tensor& v = p["square_avg"];
    v = alpha * v + (1 - alpha) * (g * g);
    Tensor variance = v;
    if (options_.centered) {
      Tensor& mean = p["grad_avg"];
      mean = alpha * mean + (1 - alpha) * g;
      variance = maximum(v - mean * mean, 0);  // rounding may make it negative
    }
    Tensor update = g / (sqrt(variance) + options_.eps);
    if (options_.momentum != 0) {
      Tensor& b = p["momentum"];
      b = options_.momentum * b + update;
      update = b;
    }
    p.parameter = p.parameter - p.lr * update;
  }

 private:
  RmsPropOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> rmsprop(const RmsPropOptions& options) {
  return std::make_unique<RmsProp>(options);
}

Entry rmsprop_entry() {
  return {.choice = {.name = "rmsprop",
                     .arguments = {{.name = "alpha",
                                    .default_value = 0.99,
                                    .maximum = 1,
                                    .open_maximum = true,
                                    .help = "decay of the running mean of squared gradients"},
                                   {.name = "momentum",
                                    .default_value = 0.0,
                                    .maximum = 1,
                                    .open_maximum = true,
                                    .help = "fraction of the previous step that is added to the "
                                            "next"},
                                   {.name = "eps",
                                    .default_value = 1e-8,
                                    .help = "added to the root of the mean square"},
                                   {.name = "centered",
                                    .type = ArgumentType::flag,
                                    .default_value = false,
                                    .help = "divides by the standard deviation instead of the root "
                                            "mean square"}},
                     .help = "gradients divided by their root mean square"},
          .make = [](const Arguments& a, const WeightDecay& decay) {
            return rmsprop({.alpha = a.number("alpha"),
                            .eps = a.number("eps"),
                            .momentum = a.number("momentum"),
                            .centered = a.flag("centered"),
                            .weight_decay = decay.amount,
                            .decay = decay.parameters});
          }};
}

}  // namespace fovea::optim
