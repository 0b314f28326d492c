#pragma once

#include "fovea/optim/gradient_norm.h"
#include "fovea/predict/evaluation.h"
#include "fovea/train/setup.h"
#include "fovea/train/step.h"

namespace fovea::train {

/// A net in training: its arrays, their gradients and moments, and the Programs of training and
/// validation, which share one arena. It knows nothing about epochs, files and changing settings.
class Learner {
 public:
  /// Arrays are declared, not filled; nothing is compiled. `setup` must outlive it.
  explicit Learner(const Setup& setup);

  /// The results of one batch.
  struct Outcome {
    StepResult result;
    optim::GradientNorm::Result gradients = {};  ///< the norm is finite only if all gradients are
  };
  /// Computes the gradients of a batch into the State; `number` counts batches from 1.
  Outcome gradient(const data::Batch& batch, int64_t number);
  /// Updates the parameters with their gradients.
  void update(const optim::Update& update) { setup_.optimizer->update(state_, update); }

  /// From now on the arrays of this phase are trained (see Groups), at first those of phase 0.
  void enter(size_t phase);
  size_t phase() const { return phase_; }

  /// The Program for `n` samples, compiled on first use.
  const Program& program(int64_t n);
  const Program& evaluation_program(int64_t n);

  State& state() { return state_; }
  TrainStep& step() { return *steps_[phase_]; }
  Evaluation& evaluation() { return evaluation_; }

 private:
  const Setup& setup_;
  State state_;
  size_t phase_ = 0;
  std::vector<std::unique_ptr<TrainStep>> steps_;  ///< of each phase, made when it is entered
  optim::GradientNorm norm_;
  Evaluation evaluation_;
};

}  // namespace fovea::train
