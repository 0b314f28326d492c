#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/doctor/check.h"

namespace fovea::doctor {
namespace {

/// How far the loss falls in a short training, as a share of the loss at the start; minus infinity
/// if it explodes.
double fall(Patient& patient, double lr) {
  constexpr int64_t steps = 60, averaged = 10;
  patient.experiment.reset();
  double first = 0, last = 0;
  for (int64_t i = 0; i < steps && !patient.stop.stop_requested(); ++i) {
    const double loss = patient.experiment.train(patient.experiment.next(), lr);
    if (!std::isfinite(loss)) return -INFINITY;
    if (i == 0) first = loss;
    if (i >= steps - averaged) last += loss / averaged;
  }
  return (first - last) / std::max(std::abs(first), 1e-9);
}

/// Whether the loss falls much further at another rate: to less than half, or where learning takes
/// longer, by several times as much.
bool is_better(double other, double own) {
  constexpr double some = 0.05, little = 0.2, much = 2.5;
  if (other < some) return false;
  return own <= 0 || 1 - other < (1 - own) / 2 || (own < little && other > much * own);
}

}  // namespace

/// A short training at the rate of the settings against a thirtieth and thirty times of it.
Finding check_learning_rate(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  if (patient.experiment.trained()) return skipped("the weights are trained");
  constexpr double factor = 30;
  const double lr = patient.setup().settings.lr;
  const double own = fall(patient, lr), lower = fall(patient, lr / factor),
               higher = fall(patient, lr * factor);
  const auto words = [](double share) {
    if (std::isinf(share)) return std::string("explodes");
    return fmt::format("{} by {:.0f}%", share >= 0 ? "falls" : "rises", 100 * std::abs(share));
  };
  const std::string text =
      fmt::format("in 60 steps the loss {} at {:.2g}, {} at {:.2g}, {} at {:.2g}", words(own), lr,
                  words(lower), lr / factor, words(higher), lr * factor);
  if (is_better(lower, own)) {
    return problem(
        text, fmt::format("a lower --lr, such as {:.2g}: fovea lr-find suggests one", lr / factor));
  }
  if (is_better(higher, own)) {
    return problem(text, fmt::format("a higher --lr, such as {:.2g}: fovea lr-find suggests one",
                                     lr * factor));
  }
  if (own <= 0) return problem(text, "fovea lr-find; if no rate is better, see the other findings");
  return ok(text);
}

}  // namespace fovea::doctor
