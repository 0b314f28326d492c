#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "fovea/train/learner.h"

namespace fovea::train {

/// Where the memory of a training run goes, in bytes.
struct MemoryUse {
  size_t program = 0;    ///< code, libraries and compiled kernels
  size_t data = 0;       ///< the data set, as it is held
  size_t weights = 0;    ///< parameters and buffers
  size_t gradients = 0;  ///< of what is trained
  size_t moments = 0;    ///< the optimiser's
  size_t arena = 0;      ///< of a step: activations, their gradients, scratch; or of validation
  size_t packed = 0;     ///< weights as the kernels of validation read them
  size_t loader = 0;     ///< batches loaded ahead, for training and for validation
  size_t total() const {
    return program + data + weights + gradients + moments + arena + packed + loader;
  }
};

/// What a run would take at one batch size.
struct Plan {
  int64_t batch = 0;
  MemoryUse memory;
  size_t peak = 0;  ///< of the process: training, or at its start or end, where that is more
};

/// Says what memory a training run takes before it is run. Programs are compiled for it, but no
/// arena is allocated and no weight is filled.
class Planner {
 public:
  /// `setup` must outlive it. Errors: usage when the net cannot take the images.
  explicit Planner(const Setup& setup);
  /// The same for a learner that is to train afterwards: what is compiled stays with it.
  Planner(const Setup& setup, std::shared_ptr<Learner> learner);

  /// At so many images a step; a batch larger than the training set is one of all of it. Of a run
  /// that unfreezes, it is the larger need of the two phases. Errors: usage below 1.
  Plan at(int64_t batch);
  /// The plan of the largest batch that the net can be trained on, its last batch included, and
  /// whose peak is at most `limit`; none where that of the smallest is more.
  std::optional<Plan> largest(size_t limit);

 private:
  struct Evaluation {
    size_t arena = 0, packed = 0, loader = 0;
  };
  Evaluation evaluation(int64_t images, int64_t batch);

  const Setup& setup_;
  std::shared_ptr<Learner> learner_;
  std::shared_ptr<Learner> thawed_;  ///< of a run that unfreezes
  int64_t smallest_ = 1;             ///< batch that the net can be trained on
  size_t program_ = 0, start_peak_ = 0;
};

/// How fast a run is, from some steps of it.
struct Speed {
  int64_t steps = 0, images = 0;                        ///< measured
  double seconds = 0;                                   ///< of them
  double images_per_second = 0;                         ///< of training
  double training_seconds = 0, validation_seconds = 0;  ///< of one epoch
};

/// Trains for about so many seconds as the run would in its first epoch, and at least for three
/// steps, after some that do not count; then validates a part. What it trained is dropped. Needs
/// the memory that was planned. Errors: as training.
Speed measure_speed(const Setup& setup, double seconds);

/// Errors: memory, when a run needs more than this machine or control group can give it at all,
/// with the largest batch that fits. Otherwise a warning when it needs more than is free now; ""
/// when there is room.
std::string check_memory(const Setup& setup, std::shared_ptr<Learner> learner = nullptr);

}  // namespace fovea::train
