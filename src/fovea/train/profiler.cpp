#include "fovea/train/profiler.h"

#include "fovea/core/files.h"
#include "fovea/formats/trace.h"
#include "fovea/train/trainer.h"

namespace fovea::train {

Profiler::~Profiler() {
  if (phase_ == Phase::recording) stop_timeline();
}

void Profiler::on_batch(Trainer& trainer) {
  if (phase_ == Phase::before) {
    phase_ = Phase::recording;
    start_timeline();
  } else if (phase_ == Phase::recording && ++recorded_ == wanted_) {
    finish(trainer);
  }
}

void Profiler::on_epoch(Trainer& trainer, EpochRecord&, bool) {
  if (phase_ == Phase::recording && recorded_ > 0) finish(trainer);
}

void Profiler::finish(Trainer& trainer) {
  timeline_ = stop_timeline();
  phase_ = Phase::after;
  replace_file(trainer.folder() / "trace.json", trace_text(timeline_));
}

}  // namespace fovea::train
