#include <fmt/format.h>

#include "fovea/doctor/check.h"

namespace fovea::doctor {

/// The loss of samples trained on against that of validation samples.
Finding check_overfitting(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  if (!patient.experiment.trained())
    return skipped("nothing is trained yet: --weights, a model file or a run to check it");
  const train::Setup& setup = patient.setup();
  if (setup.split.val->size() == 0) return skipped("there are no validation data");
  constexpr int64_t count = 1000;
  const auto loss = [&](std::shared_ptr<const data::Dataset> split) {
    return tasks::find(measured(patient, some(setup, std::move(split), count)), "loss");
  };
  const std::optional<double> train = loss(setup.split.train), val = loss(setup.split.val);
  if (!train || !val) return skipped("the task has no metric called loss");
  const std::string text = fmt::format(
      "the loss is {:.3f} on training data and {:.3f} on validation data", *train, *val);
  constexpr double much = 2.5, some_loss = 0.2;
  if (*val < much * *train + some_loss) return ok(text);
  return problem(text,
                 "more data or --augment, a larger --weight-decay, dropout, --label-smoothing, "
                 "--patience, a smaller net");
}

}  // namespace fovea::doctor
