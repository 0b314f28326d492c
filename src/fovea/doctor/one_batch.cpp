#include <fmt/format.h>

#include <algorithm>

#include "fovea/doctor/check.h"
#include "fovea/optim/adamw.h"

namespace fovea::doctor {

/// Whether the net can learn a few samples by heart, without augmentation, with AdamW: if not, its
/// structure or its gradients are at fault.
Finding check_one_batch(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  constexpr int64_t most = 16, steps = 150;
  constexpr double learned = 0.3;  // of the loss at the start
  const train::Setup& setup = patient.setup();
  const data::Batch few =
      stacked(*setup.prepared(setup.split.train), 0, std::min(most, patient.batch.size()));
  State& state = patient.experiment.state();
  double first = 0, lowest = 0;
  for (const double lr : {3e-3, 3e-4}) {
    patient.experiment.reset();
    train::TrainStep step(*setup.model, state, plain_step(setup));
    const auto optimizer = optim::adamw({.weight_decay = 0});
    optimizer->declare(state);
    for (int64_t i = 1; i <= steps && !patient.stop.stop_requested(); ++i) {
      const double loss = step.gradient(few.inputs, few.targets, i).loss;
      if (i == 1) first = lowest = loss;
      lowest = std::min(lowest, loss);
      if (lowest < learned * first) break;
      optimizer->update(state, {.lr = lr});
    }
    if (lowest < learned * first) break;
  }
  const std::string text =
      fmt::format("the loss of {} samples fell from {:.3f} to {:.3f}", few.size(), first, lowest);
  constexpr double low = 0.1;  // trained already
  if (lowest < learned * first || lowest < low) return ok(text);
  return problem(text,
                 "the net's structure: layers without gradient, too few channels, a last "
                 "activation that limits outputs, contradictory labels");
}

}  // namespace fovea::doctor
