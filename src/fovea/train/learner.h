#pragma once

#include <memory>

#include "fovea/optim/gradient_norm.h"
#include "fovea/optim/loss_scaler.h"
#include "fovea/predict/evaluation.h"
#include "fovea/train/averaging.h"
#include "fovea/train/setup.h"
#include "fovea/train/step.h"

namespace fovea::train {

/// A net in training: its arrays, their gradients and moments, and the Programs of training and
/// validation, which share one arena. It knows nothing about epochs, files and changing settings.
class Learner {
 public:
  /// Arrays are declared, not filled; nothing is compiled. `setup` must outlive it.
  explicit Learner(const Setup& setup);

  /// A batch among those whose gradients are added for one update.
  struct Part {
    bool first = true, last = true;
    double weight = 1;  ///< its share of their samples
  };
  /// The results of one batch.
  struct Outcome {
    StepResult result;
    /// Of the last part; the norm is finite only if all gradients are.
    optim::GradientNorm::Result gradients = {};
  };
  /// Computes the gradients of a batch into the State, or adds them to those of the parts before
  /// it; `number` counts batches from 1.
  Outcome gradient(const data::Batch& batch, int64_t number, const Part& part);
  Outcome gradient(const data::Batch& batch, int64_t number) { return gradient(batch, number, {}); }
  /// Whether these gradients may be applied: not if any is not finite. With f16 that lowers the
  /// loss scale, and finite ones raise it from time to time.
  bool accept(const Outcome& outcome);
  /// Of a run with f16, else null.
  const optim::LossScaler* scaler() const { return scaler_ ? &*scaler_ : nullptr; }
  /// Updates the parameters with their gradients.
  void update(const optim::Update& update) { setup_.optimizer->update(state_, update); }

  /// From now on the arrays of this phase are trained (see Groups), at first those of phase 0.
  void enter(size_t phase);
  size_t phase() const { return phase_; }

  /// The Program for `n` samples, compiled on first use: in this phase, and in evaluation.
  const Program& program(int64_t n);
  const Program& evaluation_program(int64_t n);

  Averaging& averages() { return averages_; }
  State& state() { return state_; }
  TrainStep& step() { return *steps_[phase_]; }
  Evaluation& evaluation() { return evaluation_; }

 private:
  const Setup& setup_;
  State state_;
  size_t phase_ = 0;
  std::vector<std::unique_ptr<TrainStep>> steps_;  ///< of each phase, made when it is entered
  optim::GradientNorm norm_;
  std::optional<optim::LossScaler> scaler_;
  Averaging averages_;
  Evaluation evaluation_;
};

}  // namespace fovea::train
