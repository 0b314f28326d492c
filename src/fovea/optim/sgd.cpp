#include "fovea/optim/sgd.h"

#include "fovea/ops/arithmetic.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

class Sgd final : public Optimizer {
 public:
  explicit Sgd(const SgdOptions& options)
      : Optimizer({options.weight_decay, options.decay}), options_(options) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    if (options_.momentum == 0) return {};
    return {{"momentum", parameter}};
  }

  void step(ParameterStep& p) const override {
    Tensor g = p.weight_decay * p.parameter + p.gradient;
    if (options_.momentum != 0) {
      Tensor& b = p["momentum"];
      b = options_.momentum * b + g;
      g = options_.nesterov ? options_.momentum * b + g : b;
    }
    p.parameter = p.parameter - p.lr * g;
  }

 private:
  SgdOptions options_;
};

Entry entry(const std::string& name, bool nesterov, const std::string& help) {
  return {
      .choice = {.name = name,
                 .arguments = {{.name = "momentum",
                                .default_value = 0.9,
                                .minimum = 0,
                                .maximum = 1,
                                .open_minimum = nesterov,
                                .open_maximum = true,
                                .help = "fraction of the previous step that is added to the next"}},
                 .help = help},
      .make = [nesterov](const Arguments& a, const WeightDecay& decay) {
        return sgd({.momentum = a.number("momentum"),
                    .nesterov = nesterov,
                    .weight_decay = decay.amount,
                    .decay = decay.parameters});
      }};
}

}  // namespace

std::unique_ptr<Optimizer> sgd(const SgdOptions& options) { return std::make_unique<Sgd>(options); }

Entry sgd_entry() { return entry("sgd", false, "gradient descent with momentum"); }
Entry nesterov_entry() {
  return entry("nesterov", true, "gradient descent with Nesterov momentum");
}

}  // namespace fovea::optim
