#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fovea/audio/fft.h"
#include "fovea/core/array.h"

namespace fovea {

/// Whose mel spectrograms: both have Hann windows, frames centred at multiples of the hop, power 2,
/// bands from 0 to half the rate, and decibels as 10 log10(max(x, 1e-10)), at most 80 below a
/// signal's largest.
enum class MelConvention : uint8_t {
  torchaudio,  ///< the HTK mel scale, bands of height 1, the signal mirrored at its ends
  librosa,     ///< Slaney's mel scale, bands of equal area, the signal 0 beyond its ends
};
/// "torchaudio", "librosa".
std::span<const std::string_view> enum_names(MelConvention);

struct MelOptions {
  int64_t rate = 16000;  ///< Hz
  int64_t n_fft = 400;   ///< samples of a window, 2 or more
  int64_t hop = 160;     ///< samples from one frame to the next
  int64_t mels = 64;     ///< bands
  MelConvention convention = MelConvention::torchaudio;
};

/// Mel spectrograms of signals, equal to those of torchaudio 2 (MelSpectrogram, AmplitudeToDB,
/// MFCC) and librosa 0.11 (feature.melspectrogram, power_to_db, feature.mfcc) with the same
/// options; computed in double precision. All functions may be called from any number of threads at
/// once.
class Mel {
 public:
  /// Errors: usage when n_fft or the rate is below 2, or another option below 1.
  explicit Mel(const MelOptions& options);

  const MelOptions& options() const { return options_; }
  /// Frames of a signal: 1 + samples / hop, of an odd n_fft 1 + (samples - 1) / hop.
  int64_t frames(int64_t samples) const {
    return 1 + (samples - options_.n_fft % 2) / options_.hop;
  }

  /// The power of each frequency, f32 [1 + n_fft / 2, frames]. Errors: usage when the signal is too
  /// short to be mirrored: n_fft / 2 samples or less.
  Array spectrogram(std::span<const float> signal) const;
  /// The power in each band, f32 [mels, frames]. Errors: as spectrogram.
  Array mel(std::span<const float> signal) const;
  /// The same in decibels. Errors: as spectrogram.
  Array log_mel(std::span<const float> signal) const;
  /// The first `coefficients` of the orthonormal cosine transform (DCT-II) of each frame of
  /// log_mel, f32 [coefficients, frames]. Errors: as spectrogram; usage when there are more
  /// coefficients than bands.
  Array mfcc(std::span<const float> signal, int64_t coefficients) const;

 private:
  /// A band of the filter bank: weights of frequencies from `first` on.
  struct Band {
    int64_t first = 0;
    std::vector<double> weights;
  };

  void make_bands();
  using Rows = std::vector<std::vector<double>>;
  Rows power(std::span<const float> signal) const;  ///< a row per frame
  Rows bands(std::span<const float> signal) const;
  Rows decibels(std::span<const float> signal) const;

  MelOptions options_;
  Fft fft_;
  std::vector<double> window_;
  std::vector<Band> bands_;
};

}  // namespace fovea
