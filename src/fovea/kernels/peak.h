#pragma once

namespace fovea {

/// What this machine can do at best now, for judging kernels.
struct Peak {
  double flops =
      0;  ///< f32 operations per second: fused multiply-adds on registers, each counts as 2
  double bytes = 0;  ///< bytes per second read from memory
};

/// Measures it with threads() threads for about a tenth of a second; reading takes 64 MB of memory
/// per thread. Other work on the machine lowers it.
Peak measure_peak();

}  // namespace fovea
