#include <fmt/format.h>

#include "fovea/doctor/check.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea::doctor {

/// The first weight, and the first layer, whose numbers are not finite.
Finding check_finite(Patient& patient) {
  State& state = patient.experiment.state();
  const char* remedy =
      "earlier weights or new ones; if training makes them: a lower --lr, --clip 1, a longer "
      "--warmup";
  std::string first = nonfinite_in(state, {Role::parameter, Role::buffer});
  if (first.empty()) {
    const std::string layer = patient.experiment.learner().step().first_nonfinite(
        patient.batch.inputs, patient.batch.targets, 1);
    if (!layer.empty()) first = fmt::format("{} computed a number that is not finite", layer);
  }
  patient.finite = first.empty();
  return patient.finite ? ok("weights, layers and gradients are finite") : problem(first, remedy);
}

}  // namespace fovea::doctor
