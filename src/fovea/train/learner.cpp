#include "fovea/train/learner.h"

#include <cmath>

#include "fovea/core/timeline.h"

namespace fovea::train {

Learner::Learner(const Setup& setup)
    : setup_(setup),
      steps_(setup.groups.changes().size() + 1),
      averages_(setup.settings),
      evaluation_(*setup.model, state_, setup.normalization(), *setup.task, setup.metrics) {
  nn::declare(state_, *setup.model, static_cast<uint64_t>(setup.settings.seed));
  setup.optimizer->declare(state_);
  if (setup.step_options(0).dtype == DType::f16) scaler_.emplace(state_);
  averages_.declare(state_);
  enter(0);
}

void Learner::enter(size_t phase) {
  if (phase == phase_ && steps_[phase]) return;
  if (steps_[phase_]) step().memory() = {};
  phase_ = phase;
  if (!steps_[phase])
    steps_[phase] = std::make_unique<TrainStep>(*setup_.model, state_, setup_.step_options(phase));
  evaluation_.share(step().memory());
}

Learner::Outcome Learner::gradient(const data::Batch& batch, int64_t number, const Part& part) {
  const Span span("gradients", "training");
  Outcome outcome{
      .result = step().gradient(batch.inputs, batch.targets, number, !part.first, part.weight)};
  if (!part.last) return outcome;
  const double clip = setup_.settings.clip;
  outcome.gradients = clip > 0 ? norm_.measure(state_, clip) : norm_.measure(state_);
  return outcome;
}

bool Learner::accept(const Outcome& outcome) {
  const bool finite = std::isfinite(outcome.gradients.norm);
  return scaler_ ? scaler_->step(finite) : finite;
}

const Program& Learner::program(int64_t n) {
  return step().program(setup_.inputs(n), setup_.targets(n));
}

const Program& Learner::evaluation_program(int64_t n) {
  return evaluation_.program(setup_.inputs(n), setup_.evaluation_targets(n));
}

}  // namespace fovea::train
