#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/modality.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// What a net sees of a clip.
struct ClipOptions {
  int64_t length = 16;            ///< frames
  int64_t stride = 1;             ///< one frame is taken of every so many in the file
  int height = 112, width = 112;  ///< of a frame
  int channels = 3;               ///< 1: gray, 3: RGB
};

/// Clips: folders of frames, which are images (see decode_image) in the order of the numbers in
/// their names, or .npy files [C, T, H, W] with 1 or 3 channels, of pixels u8 or u16, or numbers
/// from 0 to 1. Frames are scaled until they fill height x width, and their centre is cropped. The
/// input is u8 [length, height, width, channels]. Of longer clips the middle is taken; the last
/// frame of shorter ones is repeated. Videos are not decoded: reading one is an error that says how
/// ffmpeg makes a folder of it.
class ClipModality : public Modality {
 public:
  /// Errors: usage when an option is out of range.
  explicit ClipModality(const ClipOptions& options);

  std::string text() const override;
  std::vector<std::string> suffixes() const override { return {".npy"}; }
  /// A .npy file, a folder in which there are images, or a video without a folder beside it that
  /// has its name.
  bool takes(const std::filesystem::path& file) const override;
  Type input() const override;
  Array read(const std::filesystem::path& file) const override { return read(file, 0, 1); }
  /// Part number `window` of `windows`, which are evenly spaced in the file. Errors: as `read`.
  Array read(const std::filesystem::path& file, int64_t window, int64_t windows) const;
  bool has_stretches() const override { return true; }
  /// Of a folder only its frames are decoded.
  Array read_stretch(const std::filesystem::path& file, double place) const override;
  /// Up to eight of its frames, side by side; of numbers [C, T, H, W] those from 0 to 1.
  Image picture(const Array& given, const Array* map) const override;
  using Modality::picture;

 private:
  /// Which frame is the first, of `free` + 1 that can be.
  using FirstFrame = std::function<int64_t(int64_t free)>;
  Array read_from(const std::filesystem::path& file, const FirstFrame& first) const;
  /// The frames of a clip of `count`.
  std::vector<int64_t> chosen(int64_t count, const FirstFrame& first_of) const;

  ClipOptions options_;
  Preprocessing frames_;
};

/// The row of the table of modalities: "clip:LENGTH:STRIDE:SIZE:CHANNELS".
ModalityEntry clip_entry();

/// Whether a name has the suffix of a video, such as .mp4.
bool is_video_name(const std::filesystem::path& path);
/// The error of a video, with the command that makes a folder of its frames.
Error not_decoded(const std::filesystem::path& video);

/// Whether the numbers in `a`, and what is between them, come before those in `b`: frame2.png
/// before frame10.png.
bool before_by_number(const std::string& a, const std::string& b);

}  // namespace fovea::data
