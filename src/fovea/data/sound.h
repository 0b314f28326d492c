#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "fovea/audio/mel.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// What a net sees of a sound.
struct SoundOptions {
  /// wave: f32[channels, samples]; log_mel: decibels f32[channels, mels, frames]; mfcc: f32
  /// [channels, coefficients, frames].
  enum class Features : uint8_t { wave, log_mel, mfcc };

  MelOptions mel = {};  ///< rate: that sounds are resampled to
  double seconds = 1;
  Features features = Features::log_mel;
  int64_t coefficients = 40;  ///< of mfcc
  int64_t channels = 1;       ///< 1: the mean of a file's channels; else it must have as many
};

/// Sounds in WAV files (see Wav): of longer ones the middle is taken, to shorter ones zeros are
/// added on both sides; then they are resampled (see resample) and become features.
class SoundModality : public Modality {
 public:
  /// Errors: usage when an option is out of range, or a sound is shorter than half a window.
  explicit SoundModality(const SoundOptions& options);

  std::string text() const override;
  std::vector<std::string> suffixes() const override { return {".wav", ".wave"}; }
  Type input() const override { return input_; }
  /// Errors: as Wav; data when a file has another number of channels.
  Array read(const std::filesystem::path& file) const override;
  bool has_stretches() const override { return true; }
  Array read_stretch(const std::filesystem::path& file, double place) const override;
  bool upward() const override { return options_.features != SoundOptions::Features::wave; }
  /// A spectrogram with low frequencies at the bottom, or a curve.
  Image picture(const Array& input, const Array* map) const override;
  using Modality::picture;

 private:
  /// What a file's samples become, from the place on of `free` + 1 that may be the first.
  Array read_from(const std::filesystem::path& file,
                  const std::function<int64_t(int64_t free)>& first) const;
  Array features(std::span<const float> signal) const;  ///< of one channel

  SoundOptions options_;
  Mel mel_;
  int64_t samples_;
  Type input_;
};

/// The row of the table of modalities: "sound:RATE:SECONDS:FEATURES:...".
ModalityEntry sound_entry();

/// The options of the data set sound:DIR, which are the arguments of the modality.
std::vector<Argument> sound_options();

/// Sounds sorted into folders, one per class: see open_class_folders. `options` are those of
/// sound_options. Errors: as open_class_folders and SoundModality.
DataSets open_sound(const std::filesystem::path& folder, const Arguments& options);

}  // namespace fovea::data
