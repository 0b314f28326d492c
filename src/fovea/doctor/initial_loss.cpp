#include <fmt/format.h>

#include <cmath>

#include "fovea/doctor/check.h"

namespace fovea::doctor {

/// The loss of random weights against that of guessing, ln(classes).
Finding check_initial_loss(Patient& patient) {
  if (!patient.classes) return skipped("targets are not classes");
  if (!patient.finite) return skipped("the net is not finite");
  if (patient.experiment.trained()) return skipped("the weights are trained");
  const double guessing = std::log(static_cast<double>(patient.setup().task->outputs()));
  const double loss = patient.experiment.learner().gradient(patient.batch, 1).result.loss;
  const std::string text = fmt::format("{:.3f}; guessing has ln({}) = {:.3f}", loss,
                                       patient.setup().task->outputs(), guessing);
  constexpr double sure = 2.5, lucky = 0.5;
  if (loss > sure * guessing) {
    return problem(text,
                   "smaller initial weights in the last layer, and normalised inputs: at first the "
                   "outputs should be nearly equal");
  }
  if (loss < lucky * guessing) return problem(text, "the inputs: they may hold the labels");
  return ok(text);
}

}  // namespace fovea::doctor
