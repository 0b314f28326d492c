#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/train/setup.h"

namespace fovea::train {

/// The speed of training in one precision.
struct PrecisionSpeed {
  std::string precision;
  double images_per_second = 0;
};

/// The precision of a run, and what was measured to choose it.
struct PrecisionChoice {
  std::string precision;                 ///< "f32", "bf16" or "f16"
  std::vector<PrecisionSpeed> measured;  ///< f32 first; empty if there was nothing to compare
  std::string note = {};                 ///< the choice, or a warning, in words; or ""
};

/// Measures how fast the run of `setup` trains on this machine, a few tenths of a second, and at
/// least three steps, for each precision: for "auto" f32 and bf16, the faster of which is chosen
/// (f16 is as large as bf16, but its range is not that of f32: it is only used when asked for); for
/// a 16-bit precision it and f32, with a warning if it is slower. A precision whose training does
/// not fit into the free memory is left out. Nothing for f32. `setup.settings.precision` becomes
/// the choice. Errors: as training.
PrecisionChoice choose_precision(Setup& setup);

}  // namespace fovea::train
