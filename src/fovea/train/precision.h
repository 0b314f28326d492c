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

/// Measures how fast the run of `setup` trains on this machine in each precision, in turns of a few
/// steps: about half a second, and at least three steps of each, and longer (up to 3 seconds) as
/// long as the three fastest steps of either differ by more than 5 %; the fastest counts, since
/// whatever else the machine does only makes steps slower. For "auto": f32 and bf16, which is
/// chosen if it is at least 5 % faster (f16 is as small as bf16, but its range is not that of f32:
/// it is only used when asked for). For a 16-bit precision: that and f32, with a warning if it is
/// slower. A precision whose training does not fit into the free memory is left out. Nothing for
/// f32. `setup.settings.precision` becomes the choice. Errors: as training.
PrecisionChoice choose_precision(Setup& setup);

}  // namespace fovea::train
