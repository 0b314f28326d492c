#include <fmt/format.h>

#include "fovea/doctor/check.h"

namespace fovea::doctor {

/// The loss of the same samples in training mode and in inference.
Finding check_modes(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  if (!patient.experiment.trained())
    return skipped("before training they differ: --weights or a model file to check them");
  const train::Setup& setup = patient.setup();
  const data::Batch& batch = patient.batch;
  train::TrainStep step(*setup.model, patient.experiment.state(), plain_step(setup));
  const double training = step.gradient(batch.inputs, batch.targets, 1).loss;
  patient.experiment.reset();  // the step moved running statistics
  const auto samples =
      std::make_shared<data::ArrayDataset>(batch.inputs, batch.targets, setup.sets.targets());
  const std::optional<double> inference = tasks::find(measured(patient, samples), "loss");
  if (!inference) return skipped("the task has no metric called loss");
  const std::string text =
      fmt::format("the loss of {} samples is {:.3f} in training and {:.3f} in inference",
                  batch.size(), training, *inference);
  constexpr double much = 2, some = 0.3;
  if (*inference < much * training + some) return ok(text);
  return problem(text,
                 "the running statistics of batch norms: larger batches, more steps, or none "
                 "frozen that do not belong to these data");
}

}  // namespace fovea::doctor
