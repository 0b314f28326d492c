#pragma once

#include <memory>

#include "commands.h"
#include "fovea/kernels/tuning_session.h"

namespace fovea::cli {

/// Which kernels a command computes with.
struct KernelFlags {
  bool no_winograd = false, deterministic = false, tune = false;

  void add(Command command);
  /// For all Programs that are compiled afterwards; with --tune while the result lives, which is
  /// null without. Errors: usage when the flags contradict each other.
  [[nodiscard]] std::unique_ptr<TuningSession> apply(Console& console) const;
};

}  // namespace fovea::cli
