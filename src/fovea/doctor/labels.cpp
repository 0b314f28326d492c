#include <fmt/format.h>

#include <algorithm>

#include "fovea/doctor/check.h"
#include "fovea/optim/adamw.h"

namespace fovea::doctor {
namespace {

constexpr double clear = 5;  // standard deviations above chance

/// How well the net does on samples that it was not trained on after a short training, in standard
/// deviations above chance.
double learned(Patient& patient) {
  constexpr int64_t steps = 200, tested = 1000;
  const train::Setup& setup = patient.setup();
  const auto unseen =
      some(setup, setup.split.val->size() > 0 ? setup.split.val : setup.sets.test, tested);
  train::Experiment& experiment = patient.experiment;
  const auto optimizer = optim::adamw({.weight_decay = 0});
  optimizer->declare(experiment.state());
  for (int64_t i = 1; i <= steps && !patient.stop.stop_requested(); ++i) {
    const auto outcome = experiment.learner().gradient(experiment.next(), i);
    if (experiment.learner().accept(outcome)) optimizer->update(experiment.state(), {.lr = 1e-3});
  }
  std::vector<double> counts(setup.sets.targets().names.size());
  for (const int64_t label : labels_of(*unseen)) ++counts[static_cast<size_t>(label)];
  const auto n = static_cast<double>(unseen->size());
  const double accuracy = tasks::find(measured(patient, unseen), "accuracy").value_or(0);
  return deviations(accuracy * n, n, *std::ranges::max_element(counts) / n);
}

}  // namespace

/// Whether samples that look alike have the same label more often than by chance; where pictures
/// are too complex for that, whether the net learns something that holds for unseen samples.
Finding check_labels(Patient& patient) {
  if (!patient.classes) return skipped("targets are not classes");
  if (!patient.finite) return skipped("the net is not finite");
  constexpr int64_t count = 1500;
  const auto samples = some(patient.setup(), patient.setup().split.train, count);
  const std::vector<int64_t> labels = labels_of(*samples);
  const double chance = chance_of_equal(labels);
  if (chance > 0.9) return skipped("nearly all labels are the same");
  const std::vector<size_t> others = nearest(*samples, 0);
  double agree = 0;
  for (size_t i = 0; i < labels.size(); ++i) agree += labels[i] == labels[others[i]];
  const auto n = static_cast<double>(labels.size());
  const std::string text = fmt::format(
      "the most similar sample has the same label in {:.1f}% of cases, by chance in {:.1f}%",
      100 * agree / n, 100 * chance);
  if (deviations(agree, n, chance) > clear) return ok(text);
  const double above = learned(patient);
  if (above > clear) return ok(fmt::format("{}; unseen samples are learned", text));
  return problem(
      fmt::format("{}; after a short training unseen samples are predicted no better "
                  "than by chance",
                  text),
      "the order of labels against that of inputs: they may have been shuffled apart, or "
      "belong to other files");
}

}  // namespace fovea::doctor
