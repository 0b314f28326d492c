#pragma once

#include <array>
#include <memory>

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
  /// Updates the parameters with their gradients times `gradient_scale`.
  void update(double lr, double gradient_scale);

  /// From now on nothing is frozen; arrays that were have their own rate.
  void thaw();
  bool thawed() const { return thawed_; }

  /// The Program for `n` samples, compiled on first use: now, in the last phase of the run (with
  /// nothing frozen if the run unfreezes), and in evaluation.
  const Program& program(int64_t n);
  const Program& last_program(int64_t n);
  const Program& evaluation_program(int64_t n);

  State& state() { return state_; }
  TrainStep& step() { return step(thawed_); }
  Evaluation& evaluation() { return evaluation_; }

 private:
  TrainStep& step(bool thawed);

  const Setup& setup_;
  State state_;
  bool thawed_ = false;
  std::array<std::unique_ptr<TrainStep>, 2> steps_;  ///< of the two phases, once they are needed
  optim::GradientNorm norm_;
  Evaluation evaluation_;
};

}  // namespace fovea::train
