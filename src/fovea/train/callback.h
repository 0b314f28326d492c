#pragma once

#include <string>

#include "fovea/train/history.h"

namespace fovea {
struct EvaluatedBatch;
}

namespace fovea::train {

class Trainer;
struct Result;

/// Observes and controls a run: see Trainer for what it may request. Called on the training thread;
/// an exception ends the run.
class Callback {
 public:
  virtual ~Callback() = default;

  /// The folder exists, nothing is trained yet.
  virtual void on_start(Trainer&) {}
  /// After the gradients of a batch, before the update: may skip it or change gradients, which are
  /// State arrays.
  virtual void on_gradients(Trainer&) {}
  /// After the update.
  virtual void on_batch(Trainer&) {}
  /// After validation, before anything of the epoch is written: may add numbers to the record.
  /// With --ema and SWA the State holds the averaged weights meanwhile.
  virtual void on_epoch(Trainer&, EpochRecord&, bool best) { (void)best; }
  /// After a resumed run's checkpoint was restored, before anything is trained: what a callback
  /// wrote after that checkpoint is going to happen again.
  virtual void on_resume(Trainer&) {}
  /// After an epoch's record, models and checkpoint were written.
  virtual void on_saved(Trainer&) {}
  /// After each batch of the test of the best model, which is measured once, at the end.
  virtual void on_test(Trainer&, const EvaluatedBatch&) {}
  /// At the end of a run that is complete and tested, or was stopped; not if an error ends it.
  virtual void on_end(Trainer&, const Result&) {}
  /// Warnings and notes, one line each.
  virtual void on_message(const std::string&) {}
};

}  // namespace fovea::train
