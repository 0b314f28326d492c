#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fovea {

/// A signal at another rate: ceil(T * to / from) samples, interpolated by a sinc with a Hann window
/// of 6 zero crossings a side, below 0.99 of the lower Nyquist frequency, as torchaudio's
/// `resample` does by default; computed in double precision. Beyond its ends the signal is 0.
/// Errors: usage when a rate is below 1.
std::vector<float> resample(std::span<const float> signal, int64_t from, int64_t to);

}  // namespace fovea
