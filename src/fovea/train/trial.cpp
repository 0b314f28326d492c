#include "fovea/train/trial.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace fovea::train {

Trial::Trial(const Setup& setup)
    : setup_(setup), loader_(setup.split.train, setup.loader_options()), learner_(setup) {
  loader_.start(0);
}

int64_t Trial::train() {
  std::optional<data::Batch> batch = loader_.next();
  if (!batch) {
    loader_.start(++epoch_);
    batch = loader_.next();
  }
  // A small rate: diverging numbers are slower or faster than those of real training.
  const Learner::Outcome outcome = learner_.gradient(*batch, ++steps_);
  if (learner_.accept(outcome))
    learner_.update({.lr = 1e-4, .gradient_scale = outcome.gradients.clip_scale});
  return batch->size();
}

double Trial::validate(int64_t count) {
  std::vector<int64_t> first(static_cast<size_t>(count));
  std::iota(first.begin(), first.end(), int64_t{0});
  const auto part = std::make_shared<data::Subset>(setup_.split.val, std::move(first));
  const auto start = std::chrono::steady_clock::now();
  learner_.evaluation().measure(setup_.prepared(part), evaluation_batch(setup_.settings.batch));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

size_t Trial::state_bytes() {
  const State& state = learner_.state();
  size_t bytes = 0;
  for (Role role : {Role::parameter, Role::buffer, Role::gradient, Role::moment}) {
    for (const std::string& name : state.names(role)) bytes += state.type(name).bytes();
  }
  return bytes;
}

size_t Trial::step_bytes() {
  const int64_t n = std::min(setup_.settings.batch, setup_.split.train->size());
  const size_t arena = learner_.program(n).arena().bytes;  // declares the gradients, too
  return arena + state_bytes();
}

void Trial::take_memory(Trial& other) {
  learner_.step().memory() = std::move(other.learner_.step().memory());
  other.learner_.step().memory() = {};
}

}  // namespace fovea::train
