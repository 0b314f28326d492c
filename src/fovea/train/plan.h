#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "fovea/train/learner.h"

namespace fovea::train {

/// The memory of a training run by use, in bytes.
struct MemoryUse {
  size_t program = 0;    ///< code, libraries and compiled kernels
  size_t data = 0;       ///< the data set, as it is held
  size_t weights = 0;    ///< parameters and buffers
  size_t gradients = 0;  ///< of the trained parameters
  size_t moments = 0;    ///< the optimiser's
  size_t arena = 0;      ///< of a step (activations, their gradients, scratch) or of validation
  size_t packed = 0;     ///< weights packed for the kernels of validation
  size_t loader = 0;     ///< batches loaded ahead, for training and for validation
  size_t total() const {
    return program + data + weights + gradients + moments + arena + packed + loader;
  }
};

/// The memory that a run would take at one batch size.
struct Plan {
  int64_t batch = 0;
  MemoryUse memory;
  size_t peak = 0;  ///< of the process: in training, or at its start or end if that is more
  size_t arena_lower_bound = 0;  ///< the most bytes of memory.arena that are in use at once
  double flops = 0;              ///< of a step's forward and backward pass
};

/// Predicts the memory of a training run. Programs are compiled for it, but no arena is allocated
/// and no weight is initialised.
class Planner {
 public:
  /// `setup` must outlive it, and keep its settings. Errors: usage when the net cannot take the
  /// images.
  explicit Planner(const Setup& setup);
  /// The same for a learner that will train afterwards: it keeps what is compiled.
  Planner(const Setup& setup, std::shared_ptr<Learner> learner);

  /// For that many images per step; a batch larger than the training set holds all of it. For a run
  /// that freezes or unfreezes arrays, the largest need of its phases. Errors: usage below 1.
  Plan at(int64_t batch);
  /// The plan of the largest batch size that the net can be trained with (including its last batch)
  /// and whose peak is at most `limit`; none if even the smallest needs more.
  std::optional<Plan> largest(size_t limit);

 private:
  struct Evaluation {
    ArenaInfo arena = {};
    size_t packed = 0, loader = 0;
  };
  Evaluation evaluation(int64_t images, int64_t batch);

  const Setup& setup_;
  std::shared_ptr<Learner> learner_;
  int64_t smallest_ = 1;  ///< smallest batch that the net can be trained on
  size_t program_ = 0, start_peak_ = 0;
};

/// The speed of a run, measured over a few steps.
struct Speed {
  int64_t steps = 0, images = 0;                        ///< measured
  double seconds = 0;                                   ///< of them
  double images_per_second = 0;                         ///< of training
  double training_seconds = 0, validation_seconds = 0;  ///< of one epoch
};

/// Trains like the first epoch of the run for about that many seconds, and at least three steps
/// after a warm-up; then validates a part. The training is discarded. Needs the planned memory.
/// Errors: as training.
Speed measure_speed(const Setup& setup, double seconds);

/// Errors: memory, when a run needs more than this machine or control group has in total, with the
/// largest batch that fits. Otherwise a warning if it needs more than is free now, else "".
std::string check_memory(const Setup& setup, std::shared_ptr<Learner> learner = nullptr);

}  // namespace fovea::train
