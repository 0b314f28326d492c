#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "fovea/core/array.h"
#include "fovea/core/files.h"

namespace fovea {

/// A WAV file (RIFF): samples as integers of 8, 16, 24 or 32 bits or as floats of 32 or 64, also
/// with WAVE_FORMAT_EXTENSIBLE, of 1 to 256 channels and any rate up to 1 MHz. Unknown chunks are
/// skipped. Samples are converted as they are asked for, so memory holds the file and what is read
/// of it.
class Wav {
 public:
  /// The largest file that is read: 512 MiB.
  static constexpr size_t largest = size_t{512} << 20;

  /// Errors: data when the file is missing, larger than `largest`, not a WAV file, cut off, or has
  /// samples in another encoding (with the ffmpeg command that converts it).
  explicit Wav(const std::filesystem::path& path);
  /// From the contents of such a file; `name` stands for it in messages.
  Wav(FileBytes contents, std::string name);

  int64_t rate() const { return rate_; }          ///< Hz
  int64_t channels() const { return channels_; }  ///< as stored
  int64_t frames() const { return frames_; }      ///< samples of each channel

  /// Frames [first, first + count) of all channels, f32 [channels, count]. Integers become -1 to 1
  /// (divided by 2^(bits - 1); 8 bits are unsigned), as in torchaudio and librosa. Errors: usage
  /// when there are no such frames; data for a sample that is not finite.
  Array samples(int64_t first, int64_t count) const;

 private:
  void parse();
  void parse_format(std::span<const std::byte> chunk);
  Error error(const std::string& what) const;

  FileBytes contents_;
  std::string name_;
  std::span<const std::byte> data_;
  int64_t rate_ = 0, channels_ = 0, frames_ = 0;
  int bits_ = 0;
  bool floats_ = false;
};

/// The mean of the channels of f32 [channels, T]: f32 [1, T].
Array mono(const Array& samples);

}  // namespace fovea
