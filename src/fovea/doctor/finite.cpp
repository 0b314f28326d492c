#include "fovea/doctor/check.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea::doctor {

/// The first weight, and the first layer, whose numbers are not finite.
Finding check_finite(Patient& patient) {
  State& state = patient.experiment.state();
  NonFinite origin = patient.experiment.learner().step().nonfinite_origin(patient.batch.inputs,
                                                                          patient.batch.targets, 1);
  if (origin.from != NonFinite::From::input) {  // of weights, also those that no step has used
    const std::string array = nonfinite_in(state, {Role::parameter, Role::buffer});
    if (!array.empty()) origin = {NonFinite::From::state, array};
  }
  patient.finite = origin.from == NonFinite::From::nowhere;
  if (patient.finite) return ok("weights, layers and gradients are finite");
  return problem(origin.text,
                 origin.from == NonFinite::From::input
                     ? "fovea data check, which names the samples"
                     : "earlier weights or new ones; if training makes them: a lower --lr, "
                       "--clip 1, a longer --warmup");
}

}  // namespace fovea::doctor
