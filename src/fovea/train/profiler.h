#pragma once

#include "fovea/core/timeline.h"
#include "fovea/train/callback.h"

namespace fovea::train {

/// Records some batches of a run: kernel calls, loader threads, waiting. The first batch, which
/// compiles Programs, is not among them.
class Profiler : public Callback {
 public:
  explicit Profiler(int64_t batches = 20) : wanted_(batches) {}
  ~Profiler() override;

  void on_batch(Trainer& trainer) override;
  void on_epoch(Trainer& trainer, EpochRecord& record, bool best) override;

  /// What was recorded; empty before that, and when a run was too short.
  const Timeline& timeline() const { return timeline_; }
  int64_t batches() const { return recorded_; }  ///< that were recorded

 private:
  void finish();

  int64_t wanted_, recorded_ = 0;
  enum class Phase : uint8_t { before, recording, after } phase_ = Phase::before;
  Timeline timeline_;
};

}  // namespace fovea::train
