#include "fovea/train/experiment.h"

#include <cmath>

#include "fovea/train/initialize.h"

namespace fovea::train {

SavedArrays::SavedArrays(State& state) {
  for (const Role role : {Role::parameter, Role::buffer, Role::moment}) {
    for (const std::string& name : state.names(role))
      arrays_.emplace(name, state.get(name).clone());
  }
}

void SavedArrays::restore(State& state) const {
  for (const auto& [name, values] : arrays_) state.set(name, values);
  for (const std::string& name : state.names(Role::moment)) {
    if (!arrays_.contains(name)) state.remove(name);
  }
}

Experiment::Experiment(Setup& setup)
    : setup_(setup),
      loader_(setup.split.train, setup.loader_options()),
      learner_(setup),
      trained_(!setup.start.weights.empty()) {
  anew_ = initialize_run(setup, state());
  start_.emplace(state());
  loader_.start(0);
}

void Experiment::reset() {
  start_->restore(state());
  epoch_ = steps_ = 0;
  loader_.start(0);
}

data::Batch Experiment::next() {
  std::optional<data::Batch> batch = loader_.next();
  if (!batch) {
    loader_.start(++epoch_);
    batch = loader_.next();
  }
  return std::move(*batch);
}

double Experiment::train(const data::Batch& batch, double lr) {
  const Learner::Outcome outcome = learner_.gradient(batch, ++steps_);
  const double loss = outcome.result.loss;
  if (!learner_.accept(outcome)) return loss;
  optim::Update update{.lr = lr,
                       .gradient_scale = outcome.gradients.clip_scale,
                       .group_lrs = setup_.groups.rates(0, lr, 1, {})};
  if (setup_.settings.clip_value > 0) update.clip_value = setup_.settings.clip_value;
  learner_.update(update);
  return loss;
}

}  // namespace fovea::train
