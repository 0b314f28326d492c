#include "fovea/audio/mel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "fovea/core/error.h"

namespace fovea {
namespace {

/// A mel scale and its inverse.
struct Scale {
  double (*mels)(double hertz);
  double (*hertz)(double mels);
};

/// The formula of the HTK book: logarithmic everywhere.
constexpr Scale htk{[](double hertz) { return 2595 * std::log10(1 + hertz / 700); },
                    [](double mels) { return 700 * (std::pow(10, mels / 2595) - 1); }};

/// Slaney's Auditory Toolbox: linear below 1 kHz, then 27 mels for each factor of 6.4.
constexpr double linear = 200.0 / 3, corner = 1000;
const double log_step = std::log(6.4) / 27;
constexpr Scale slaney{[](double hertz) {
                         return hertz < corner
                                    ? hertz / linear
                                    : corner / linear + std::log(hertz / corner) / log_step;
                       },
                       [](double mels) {
                         const double bent = mels - corner / linear;
                         return bent < 0 ? mels * linear : corner * std::exp(log_step * bent);
                       }};

/// Rows of frames as f32 [values, frames].
Array to_array(const std::vector<std::vector<double>>& frames) {
  const auto count = std::ssize(frames), size = std::ssize(frames[0]);
  Array result(DType::f32, {size, count});
  const auto values = result.data<float>();
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t k = 0; k < size; ++k)
      values[static_cast<size_t>(k * count + t)] =
          static_cast<float>(frames[static_cast<size_t>(t)][static_cast<size_t>(k)]);
  }
  return result;
}

}  // namespace

std::span<const std::string_view> enum_names(MelConvention) {
  static constexpr std::array<std::string_view, 2> names{"torchaudio", "librosa"};
  return names;
}

Mel::Mel(const MelOptions& options) : options_(options), fft_(std::max<int64_t>(options.n_fft, 1)) {
  if (options_.n_fft < 2 || options_.rate < 2 || options_.hop < 1 || options_.mels < 1) {
    throw Error(ErrorKind::usage, "mel: n_fft and rate must be 2 or more, hop and mels 1 or more")
        .with("n_fft", std::to_string(options_.n_fft))
        .with("rate", std::to_string(options_.rate))
        .with("hop", std::to_string(options_.hop))
        .with("mels", std::to_string(options_.mels));
  }
  for (int64_t i = 0; i < options_.n_fft; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i);
    window_.push_back(0.5 - 0.5 * std::cos(angle / static_cast<double>(options_.n_fft)));
  }
  make_bands();
}

/// Triangles between neighbouring points that lie equally far apart on the mel scale.
void Mel::make_bands() {
  const bool torch = options_.convention == MelConvention::torchaudio;
  const Scale& scale = torch ? htk : slaney;
  const auto rate = static_cast<double>(options_.rate);
  const double highest = torch ? static_cast<double>(options_.rate / 2) : rate / 2;
  const int64_t frequencies = options_.n_fft / 2 + 1;
  const double step = torch ? highest / static_cast<double>(frequencies - 1)
                            : rate / static_cast<double>(options_.n_fft);
  std::vector<double> points;
  for (int64_t i = 0; i < options_.mels + 2; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(options_.mels + 1);
    points.push_back(scale.hertz(scale.mels(highest) * part));
  }
  for (size_t m = 0; m < static_cast<size_t>(options_.mels); ++m) {
    const double low = points[m], middle = points[m + 1], high = points[m + 2];
    const double height = torch ? 1 : 2 / (high - low);
    Band band;
    for (int64_t k = 0; k < frequencies; ++k) {
      const double f = step * static_cast<double>(k);
      const double weight = std::min((f - low) / (middle - low), (high - f) / (high - middle));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first = k;
      band.weights.push_back(weight * height);
    }
    bands_.push_back(std::move(band));
  }
}

Mel::Rows Mel::power(std::span<const float> signal) const {
  const auto size = std::ssize(signal), half = options_.n_fft / 2;
  const bool mirrored = options_.convention == MelConvention::torchaudio;
  if (size < 1 || (mirrored && size <= half)) {
    throw Error(ErrorKind::usage, fmt::format("mel: a signal of {} samples is too short", size))
        .with("expected", fmt::format("more than {}, half of n_fft", half));
  }
  const auto at = [&](int64_t i) -> double {
    if (mirrored) i = i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i;
    return i < 0 || i >= size ? 0.0 : static_cast<double>(signal[static_cast<size_t>(i)]);
  };
  std::vector<Fft::Complex> windowed(window_.size()), spectrum(window_.size());
  Rows rows;
  for (int64_t t = 0; t < frames(size); ++t) {
    for (size_t i = 0; i < window_.size(); ++i)
      windowed[i] = window_[i] * at(t * options_.hop - half + static_cast<int64_t>(i));
    fft_(windowed, spectrum);
    std::vector<double> row;
    for (int64_t k = 0; k <= half; ++k) row.push_back(std::norm(spectrum[static_cast<size_t>(k)]));
    rows.push_back(std::move(row));
  }
  return rows;
}

Mel::Rows Mel::bands(std::span<const float> signal) const {
  Rows rows = power(signal);
  for (std::vector<double>& row : rows) {
    std::vector<double> sums;
    for (const Band& band : bands_) {
      double sum = 0;
      for (size_t k = 0; k < band.weights.size(); ++k)
        sum += band.weights[k] * row[static_cast<size_t>(band.first) + k];
      sums.push_back(sum);
    }
    row = std::move(sums);
  }
  return rows;
}

Mel::Rows Mel::decibels(std::span<const float> signal) const {
  constexpr double least = 1e-10, range = 80;
  Rows rows = bands(signal);
  double largest = -INFINITY;
  for (std::vector<double>& row : rows) {
    for (double& value : row) {
      value = 10 * std::log10(std::max(value, least));
      largest = std::max(largest, value);
    }
  }
  for (std::vector<double>& row : rows) {
    for (double& value : row) value = std::max(value, largest - range);
  }
  return rows;
}

Array Mel::spectrogram(std::span<const float> signal) const { return to_array(power(signal)); }

Array Mel::mel(std::span<const float> signal) const { return to_array(bands(signal)); }

Array Mel::log_mel(std::span<const float> signal) const { return to_array(decibels(signal)); }

Array Mel::mfcc(std::span<const float> signal, int64_t coefficients) const {
  const int64_t mels = options_.mels;
  if (coefficients < 1 || coefficients > mels) {
    throw Error(ErrorKind::usage,
                fmt::format("mfcc: {} coefficients of {} bands", coefficients, mels))
        .with("expected", fmt::format("1 to {}", mels));
  }
  const auto n = static_cast<double>(mels);
  Rows rows = decibels(signal);
  Rows cosines;
  for (int64_t k = 0; k < coefficients; ++k) {
    cosines.emplace_back();
    for (int64_t m = 0; m < mels; ++m) {
      const double angle = std::numbers::pi / n * (static_cast<double>(m) + 0.5);
      cosines.back().push_back(std::sqrt((k == 0 ? 1 : 2) / n) *
                               std::cos(angle * static_cast<double>(k)));
    }
  }
  for (std::vector<double>& row : rows) {
    std::vector<double> sums;
    for (const std::vector<double>& cosine : cosines) {
      double sum = 0;
      for (size_t m = 0; m < row.size(); ++m) sum += cosine[m] * row[m];
      sums.push_back(sum);
    }
    row = std::move(sums);
  }
  return to_array(rows);
}

}  // namespace fovea
