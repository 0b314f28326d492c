#include "fovea/audio/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "fovea/core/error.h"

namespace fovea {
namespace {

constexpr double zero_crossings = 6, rolloff = 0.99;

/// The weights of the inputs around an output, and the place of the first relative to its own.
struct Taps {
  int64_t first = 0;
  std::vector<double> weights;
};

/// Of an output that lies `fraction` of an input sample after one; `cutoff`: zero crossings of the
/// sinc per input sample.
Taps taps_at(double fraction, double cutoff) {
  const double reach = zero_crossings / cutoff;
  Taps taps{.first = static_cast<int64_t>(std::ceil(fraction - reach)), .weights = {}};
  const auto last = static_cast<int64_t>(std::floor(fraction + reach));
  for (int64_t j = taps.first; j <= last; ++j) {
    const double t = (static_cast<double>(j) - fraction) * cutoff;
    const double angle = std::numbers::pi * t;
    const double window = std::cos(angle / zero_crossings / 2);
    const double sinc = t == 0 ? 1 : std::sin(angle) / angle;
    taps.weights.push_back(sinc * window * window * cutoff);
  }
  return taps;
}

}  // namespace

std::vector<float> resample(std::span<const float> signal, int64_t from, int64_t to) {
  if (from < 1 || to < 1) {
    throw Error(ErrorKind::usage, fmt::format("resample: from {} Hz to {} Hz", from, to))
        .with("expected", "rates of at least 1 Hz");
  }
  if (from == to) return {signal.begin(), signal.end()};
  const int64_t common = std::gcd(from, to), in = from / common, out = to / common;
  const auto size = std::ssize(signal), result_size = (size * out + in - 1) / in;
  const double cutoff = rolloff * static_cast<double>(std::min(in, out)) / static_cast<double>(in);
  std::vector<float> result(static_cast<size_t>(result_size));
  // Outputs that are `out` apart lie equally between the inputs.
  for (int64_t phase = 0; phase < std::min(out, result_size); ++phase) {
    const int64_t place = phase * in / out;
    const double fraction = static_cast<double>(phase * in % out) / static_cast<double>(out);
    const Taps taps = taps_at(fraction, cutoff);
    for (int64_t k = phase, at = place; k < result_size; k += out, at += in) {
      double sum = 0;
      const int64_t begin = std::max<int64_t>(0, -(at + taps.first));
      const int64_t end = std::min(std::ssize(taps.weights), size - (at + taps.first));
      for (int64_t j = begin; j < end; ++j)
        sum +=
            taps.weights[static_cast<size_t>(j)] * signal[static_cast<size_t>(at + taps.first + j)];
      result[static_cast<size_t>(k)] = static_cast<float>(sum);
    }
  }
  return result;
}

}  // namespace fovea
