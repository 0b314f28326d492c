#include "fovea/optim/optimizer.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/kernels/simd/optimizer.h"
#include "fovea/passes/autodiff.h"

namespace fovea::optim {
namespace {

double decay_of(const Array& parameter, double weight_decay, Decay decay) {
  return decay == Decay::weights && parameter.shape().rank() < 2 ? 0 : weight_decay;
}

double rate(const Update& update, std::string_view parameter) {
  return update.lr_scale ? update.lr * update.lr_scale(parameter) : update.lr;
}

/// Calls body(name, parameter, gradient) for each parameter that has a gradient.
template <class Body>
void for_each_gradient(State& state, const Body& body) {
  for (const std::string& name : state.names(Role::parameter)) {
    const std::string gradient = gradient_name(name);
    if (state.contains(gradient)) body(name, state.get(name), state.get(gradient));
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

class Sgd final : public Optimizer {
 public:
  explicit Sgd(const SgdOptions& options) : options_(options) {}

  void declare(State& state) const override {
    if (options_.momentum == 0) return;
    for (const std::string& name : state.names(Role::parameter)) {
      state.declare("momentum:" + name, state.type(name), Role::moment);
    }
  }

  void update(State& state, const Update& update) const override {
    for_each_gradient(state, [&](const std::string& name, Array& p, Array& g) {
      const SgdStep step{.lr = rate(update, name),
                         .momentum = options_.momentum,
                         .nesterov = options_.nesterov,
                         .weight_decay = decay_of(p, options_.weight_decay, options_.decay),
                         .grad_scale = update.gradient_scale};
      Array none(p.dtype(), Shape{0});
      Array& momentum = options_.momentum == 0 ? none : state.get("momentum:" + name);
      typed(
          p.dtype(),
          [&](auto ps, auto gs, auto bs) {
            sgd_update(ps.data(), gs.data(), bs.empty() ? nullptr : bs.data(), p.numel(), step);
          },
          p, g, momentum);
    });
    state.touch();
  }

  std::string text() const override {
    return (options_.nesterov ? "nesterov:" : "sgd:") + format_number(options_.momentum);
  }

 private:
  SgdOptions options_;
};

class AdamW final : public Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options) : options_(options) {}

  void declare(State& state) const override {
    for (const std::string& name : state.names(Role::parameter)) {
      state.declare("exp_avg:" + name, state.type(name), Role::moment);
      state.declare("exp_avg_sq:" + name, state.type(name), Role::moment);
    }
  }

  void update(State& state, const Update& update) const override {
    for_each_gradient(state, [&](const std::string& name, Array& p, Array& g) {
      const AdamWStep step{.lr = rate(update, name),
                           .beta1 = options_.beta1,
                           .beta2 = options_.beta2,
                           .eps = options_.eps,
                           .weight_decay = decay_of(p, options_.weight_decay, options_.decay),
                           .step = update.step,
                           .grad_scale = update.gradient_scale};
      typed(
          p.dtype(),
          [&](auto ps, auto gs, auto ms, auto vs) {
            adamw_update(ps.data(), gs.data(), ms.data(), vs.data(), p.numel(), step);
          },
          p, g, state.get("exp_avg:" + name), state.get("exp_avg_sq:" + name));
    });
    state.touch();
  }

  std::string text() const override { return "adamw"; }

 private:
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
  for_each_gradient(state, [&](const std::string&, Array& p, Array& g) {
    typed(
        p.dtype(),
        [&](auto gs) { sum += sum_of_squares(gs.data(), static_cast<int64_t>(gs.size())); }, g);
  });
  return std::sqrt(sum);
}

double clip_scale(double norm, double max_norm) {
  const double scale = max_norm / (norm + 1e-6);
  return scale > 1 ? 1 : scale;  // NaN stays
}

}  // namespace fovea::optim
