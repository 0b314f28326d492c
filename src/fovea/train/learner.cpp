#include "fovea/train/learner.h"

namespace fovea::train {
namespace {

/// The factor of the learning rate for arrays that were frozen, unless --backbone-lr is given.
constexpr double default_backbone_share = 0.1;

}  // namespace

Learner::Learner(const Setup& setup)
    : setup_(setup), evaluation_(*setup.model, state_, setup.normalization(), setup.metrics) {
  nn::declare(state_, *setup.model, static_cast<uint64_t>(setup.settings.seed));
  setup.optimizer->declare(state_);
  evaluation_.share(step().memory());
}

TrainStep& Learner::step(bool thawed) {
  auto& step = steps_[thawed ? 1 : 0];
  if (!step) step = std::make_unique<TrainStep>(*setup_.model, state_, setup_.step_options(thawed));
  return *step;
}

void Learner::thaw() {
  thawed_ = true;
  evaluation_.share(step().memory());
  steps_[0].reset();
}

Learner::Outcome Learner::gradient(const data::Batch& batch, int64_t number) {
  Outcome outcome{.result = step().gradient(batch.inputs, batch.targets, number)};
  const double clip = setup_.settings.clip;
  outcome.gradients = clip > 0 ? norm_.measure(state_, clip) : norm_.measure(state_);
  return outcome;
}

void Learner::update(double lr, double gradient_scale) {
  const Settings& settings = setup_.settings;
  optim::Update update{.lr = lr, .gradient_scale = gradient_scale};
  if (thawed_) {
    const double share =
        settings.backbone_lr > 0 ? settings.backbone_lr / settings.lr : default_backbone_share;
    update.lr_scale = [this, share](std::string_view name) {
      return setup_.frozen(name) ? share : 1;
    };
  }
  setup_.optimizer->update(state_, update);
}

const Program& Learner::program(int64_t n) {
  return step().program(setup_.inputs(n), setup_.targets(n));
}

const Program& Learner::last_program(int64_t n) {
  return step(thawed_ || setup_.unfreezes()).program(setup_.inputs(n), setup_.targets(n));
}

const Program& Learner::evaluation_program(int64_t n) {
  return evaluation_.program(setup_.inputs(n), setup_.targets(n));
}

}  // namespace fovea::train
