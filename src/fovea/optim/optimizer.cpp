#include "fovea/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/flush_to_zero.h"
#include "fovea/core/text.h"
#include "fovea/kernels/simd/optimizer.h"
#include "fovea/passes/autodiff.h"

namespace fovea::optim {
namespace {

double decay_of(const Array& parameter, double weight_decay, Decay decay) {
  return decay == Decay::weights && parameter.shape().rank() < 2 ? 0 : weight_decay;
}

/// Calls body(name, gradient) for each parameter that has a gradient.
template <class Body>
void for_each_gradient(State& state, const Body& body) {
  for (const std::string& name : state.names(Role::parameter)) {
    const std::string gradient = gradient_name(name);
    if (state.contains(gradient)) body(name, state.get(gradient));
  }
}

/// Calls body with the arrays as spans of their element type.
template <class Body, class... Arrays>
void typed(DType dtype, const Body& body, Arrays&... arrays) {
  if (dtype == DType::f64) {
    body(arrays.template data<double>()...);
  } else {
    body(arrays.template data<float>()...);
  }
}

/// A State array of the optimiser's own. Errors: usage when `declare` did not make it known.
Array& moment(State& state, std::string_view kind, const std::string& parameter) {
  const std::string name = std::string(kind) + ":" + parameter;
  if (!state.contains(name)) {
    throw Error(ErrorKind::usage,
                "optimizer: the moments of \"" + parameter + "\" are not declared")
        .with("missing", name)
        .with("try", "optimizer->declare(state) once, after nn::declare(state, model, seed)");
  }
  return state.get(name);
}

class Sgd final : public Optimizer {
 public:
  explicit Sgd(const SgdOptions& options) : options_(options) {}

  void declare(State& state) const override {
    if (options_.momentum == 0) return;
    for (const std::string& name : state.names(Role::parameter)) {
      state.declare("momentum:" + name, state.type(name), Role::moment);
    }
  }

  std::string text() const override {
    return (options_.nesterov ? "nesterov:" : "sgd:") + format_number(options_.momentum);
  }

 private:
  void step(State& state, const std::string& name, const Array& g, double lr,
            double gradient_scale) const override {
    Array& p = state.get(name);
    Array none(p.dtype(), Shape{0});
    Array& buffer = options_.momentum == 0 ? none : moment(state, "momentum", name);
    const SgdStep step{.lr = lr,
                       .momentum = options_.momentum,
                       .nesterov = options_.nesterov,
                       .weight_decay = decay_of(p, options_.weight_decay, options_.decay),
                       .grad_scale = gradient_scale};
    typed(
        p.dtype(),
        [&](auto ps, auto gs, auto bs) {
          sgd_update(ps.data(), gs.data(), bs.empty() ? nullptr : bs.data(), p.numel(), step);
        },
        p, g, buffer);
  }

  SgdOptions options_;
};

class AdamW final : public Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options) : options_(options) {}

  void declare(State& state) const override {
    for (const std::string& name : state.names(Role::parameter)) {
      state.declare("exp_avg:" + name, state.type(name), Role::moment);
      state.declare("exp_avg_sq:" + name, state.type(name), Role::moment);
      state.declare("step:" + name, {DType::i64, {}}, Role::moment);
    }
  }

  std::string text() const override { return "adamw"; }

 private:
  void step(State& state, const std::string& name, const Array& g, double lr,
            double gradient_scale) const override {
    Array& p = state.get(name);
    int64_t& count = moment(state, "step", name).data<int64_t>()[0];
    const AdamWStep step{.lr = lr,
                         .beta1 = options_.beta1,
                         .beta2 = options_.beta2,
                         .eps = options_.eps,
                         .weight_decay = decay_of(p, options_.weight_decay, options_.decay),
                         .step = ++count,
                         .grad_scale = gradient_scale};
    typed(
        p.dtype(),
        [&](auto ps, auto gs, auto ms, auto vs) {
          adamw_update(ps.data(), gs.data(), ms.data(), vs.data(), p.numel(), step);
        },
        p, g, moment(state, "exp_avg", name), moment(state, "exp_avg_sq", name));
  }

  AdamWOptions options_;
};

double number(std::string_view flag, std::string_view text, double least) {
  const std::optional<double> value = parse_number(text);
  if (!value || *value < least) {
    throw Error(ErrorKind::usage, std::string(flag) + ": \"" + std::string(text) +
                                      "\" is not a number of " + format_number(least) + " or more");
  }
  return *value;
}

}  // namespace

void Optimizer::update(State& state, const Update& update) const {
  if (!(update.lr >= 0 && std::isfinite(update.lr))) {
    throw Error(ErrorKind::usage, std::isnan(update.lr)
                                      ? "optimizer: the update has no learning rate"
                                      : "optimizer: the learning rate is " +
                                            format_number(update.lr) + ", not 0 or more")
        .with("try", "optimizer->update(state, {.lr = 0.1})");
  }
  const FlushToZero flush;
  for_each_gradient(state, [&](const std::string& name, const Array& gradient) {
    const double lr = update.lr_scale ? update.lr * update.lr_scale(name) : update.lr;
    step(state, name, gradient, lr, update.gradient_scale);
  });
  state.touch();
}

std::unique_ptr<Optimizer> sgd(const SgdOptions& options) { return std::make_unique<Sgd>(options); }
std::unique_ptr<Optimizer> adamw(const AdamWOptions& options) {
  return std::make_unique<AdamW>(options);
}

std::unique_ptr<Optimizer> parse(std::string_view optimizer, std::string_view weight_decay) {
  const std::vector<std::string> decay = split(weight_decay, ':');
  if (decay.size() > 2 || (decay.size() == 2 && decay[1] != "weights")) {
    throw Error(ErrorKind::usage, "weight-decay: cannot read \"" + std::string(weight_decay) + "\"")
        .with("try", "a number, or NUMBER:weights to leave norms and biases alone");
  }
  const double amount = number("weight-decay", decay[0], 0);
  const Decay which = decay.size() == 2 ? Decay::weights : Decay::all;

  const std::vector<std::string> parts = split(optimizer, ':');
  if ((parts[0] == "sgd" || parts[0] == "nesterov") && parts.size() <= 2) {
    const double momentum = parts.size() == 2 ? number("optimizer", parts[1], 0) : 0.9;
    const bool nesterov = parts[0] == "nesterov";
    if (momentum >= 1 || (nesterov && momentum == 0)) {
      throw Error(ErrorKind::usage,
                  "optimizer: momentum is " + format_number(momentum) +
                      (nesterov ? ", above 0 and below 1 is possible" : ", below 1 is possible"));
    }
    return sgd(
        {.momentum = momentum, .nesterov = nesterov, .weight_decay = amount, .decay = which});
  }
  if (parts[0] == "adamw" && parts.size() == 1)
    return adamw({.weight_decay = amount, .decay = which});
  const std::vector<std::string> known{"sgd", "nesterov", "adamw"};
  throw unknown_name("optimizer", optimizer, known)
      .with("try", "sgd[:MOMENTUM], nesterov[:MOMENTUM], adamw");
}

double gradient_norm(State& state) {
  double sum = 0;
  for_each_gradient(state, [&](const std::string&, const Array& g) {
    typed(
        g.dtype(),
        [&](auto gs) { sum += sum_of_squares(gs.data(), static_cast<int64_t>(gs.size())); }, g);
  });
  return std::sqrt(sum);
}

double clip_scale(double norm, double max_norm) {
  const double scale = max_norm / (norm + 1e-6);
  return scale > 1 ? 1 : scale;  // NaN stays
}

}  // namespace fovea::optim
