#pragma once

#include <string>

#include "fovea/train/history.h"

namespace fovea::train {

class Trainer;

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
  /// Warnings and notes, one line each.
  virtual void on_message(const std::string&) {}
};

}  // namespace fovea::train
