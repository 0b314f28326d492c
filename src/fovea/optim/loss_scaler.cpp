#include "fovea/optim/loss_scaler.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/passes/autodiff.h"

namespace fovea::optim {
namespace {

const std::string scale_name(loss_scale_name), steps_name = scale_name + "_steps";

void check(std::string_view name, double value, bool valid, std::string_view expected) {
  if (valid) return;
  throw Error(ErrorKind::usage,
              fmt::format("loss scaler: {} is {}, must be {}", name, value, expected));
}

void check(const LossScalerOptions& o) {
  check("growth", o.growth, o.growth > 1, "above 1");
  check("backoff", o.backoff, o.backoff > 0 && o.backoff < 1, "above 0 and below 1");
  check("interval", static_cast<double>(o.interval), o.interval >= 1, "at least 1");
  check("minimum", o.minimum, o.minimum > 0, "above 0");
  check("initial", o.initial, o.initial >= o.minimum && o.initial <= o.maximum,
        fmt::format("from {} to {}", o.minimum, o.maximum));
}

}  // namespace

LossScaler::LossScaler(State& state, const LossScalerOptions& options)
    : state_(state), options_(options) {
  check(options);
  state.declare(scale_name, {DType::f32, {}}, Role::moment,
                [initial = options.initial](Array& a) { a.set(0, initial); });
  state.declare(steps_name, {DType::i64, {}}, Role::moment);
}

double LossScaler::scale() const { return state_.get(scale_name).item(); }

bool LossScaler::step(bool finite) {
  Array &scale = state_.get(scale_name), &steps = state_.get(steps_name);
  steps.set(0, finite ? steps.item() + 1 : 0);
  if (!finite) scale.set(0, std::max(scale.item() * options_.backoff, options_.minimum));
  if (steps.item() >= static_cast<double>(options_.interval)) {
    scale.set(0, std::min(scale.item() * options_.growth, options_.maximum));
    steps.set(0, 0);
  }
  state_.touch();
  return finite;
}

}  // namespace fovea::optim
