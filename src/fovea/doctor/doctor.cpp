#include "fovea/doctor/doctor.h"

#include <algorithm>

#include "fovea/doctor/check.h"

namespace fovea::doctor {

const std::vector<Check>& checks() {
  static const std::vector<Check> table{
      {"finite numbers", check_finite},           {"memory", check_memory},
      {"balance of labels", check_label_balance}, {"scale of inputs", check_input_scale},
      {"leaking validation", check_leakage},      {"labels follow inputs", check_labels},
      {"order of labels", check_label_order},     {"frozen layers", check_frozen},
      {"loss at the start", check_initial_loss},  {"dead units", check_dead_units},
      {"gradients by layer", check_gradients},    {"one batch by heart", check_one_batch},
      {"learning rate", check_learning_rate},     {"running statistics", check_statistics},
      {"training and inference", check_modes},    {"overfitting", check_overfitting},
  };
  return table;
}

std::vector<Finding> examine(
    train::Experiment& experiment,
    const std::function<void(int64_t, int64_t, std::string_view)>& progress, std::stop_token stop) {
  const train::Setup& setup = experiment.setup();
  const int64_t samples = std::min(setup.settings.batch, setup.split.train->size());
  Patient patient{.experiment = experiment,
                  .batch = stacked(*setup.prepared(setup.split.train), 0, samples),
                  .classes = setup.sets.targets().type == data::class_targets({}).type,
                  .stop = stop};
  std::vector<Finding> findings;
  const int64_t all = std::ssize(checks());
  for (const Check& check : checks()) {
    if (stop.stop_requested()) break;
    if (progress) progress(std::ssize(findings), all, check.name);
    experiment.reset();
    findings.push_back(check.run(patient));
    findings.back().check = check.name;
  }
  experiment.reset();
  return findings;
}

}  // namespace fovea::doctor
