#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "fovea/draw/chart.h"
#include "fovea/train/trainer.h"
#include "terminal.h"

namespace fovea::cli {

/// The curves of a run that this process trains, drawn above its progress.
class LiveCurves {
 public:
  /// After each batch.
  void add(const train::Trainer& trainer);
  /// The curves as text, drawn anew at most once a second; "" without an area, in one that is too
  /// low, and before there is a curve.
  const std::string& text(const train::Trainer& trainer, const std::optional<DrawingArea>& area);
  /// The same, drawn now.
  const std::string& text_now(const train::Trainer& trainer,
                              const std::optional<DrawingArea>& area);

 private:
  using Clock = std::chrono::steady_clock;

  draw::Series losses_;  ///< means over some batches each
  double sum_ = 0,
         before_ = 0;    ///< of losses: since the last point, and the epoch's at the last batch
  int64_t samples_ = 0;  ///< since the last point
  std::string text_;
  Clock::time_point drawn_ = {};
};

}  // namespace fovea::cli
