#include "fovea/train/profiler.h"

namespace fovea::train {

Profiler::~Profiler() {
  if (phase_ == Phase::recording) stop_timeline();
}

void Profiler::on_batch(Trainer&) {
  if (phase_ == Phase::before) {
    phase_ = Phase::recording;
    start_timeline();
  } else if (phase_ == Phase::recording && ++recorded_ == wanted_) {
    finish();
  }
}

void Profiler::on_epoch(Trainer&, EpochRecord&, bool) {
  if (phase_ == Phase::recording && recorded_ > 0) finish();
}

void Profiler::finish() {
  timeline_ = stop_timeline();
  phase_ = Phase::after;
}

}  // namespace fovea::train
