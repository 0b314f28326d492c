#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/modality.h"
#include "fovea/data/voxel_axes.h"

namespace fovea::data {

/// What a net sees of a volume.
struct VolumeOptions {
  int64_t depth = 64, height = 64, width = 64;
  int64_t channels = 1;
};

/// Volumes in NIfTI-1 files (turned to a common orientation, see read_nifti) or .npy files [D, H,
/// W] or [C, D, H, W] of any numbers. All voxels of a volume together are normalised to mean 0 and
/// standard deviation 1, as scanners' scales differ; then the centre of depth x height x width is
/// taken, with the smallest value where a volume is smaller. The input is f32 [channels, depth,
/// height, width].
class VolumeModality : public Modality {
 public:
  /// Errors: usage when an option is out of range.
  explicit VolumeModality(const VolumeOptions& options);

  std::string text() const override;
  std::vector<std::string> suffixes() const override { return {".nii", ".nii.gz", ".npy"}; }
  bool takes(const std::filesystem::path& file) const override;
  Type input() const override;
  /// Errors: data as read_volume, for another number of channels, and for values of which none are
  /// finite.
  Array read(const std::filesystem::path& file) const override;
  VoxelAxes voxel_axes(const std::filesystem::path& file) const override;
  /// The same of numbers [C, D, H, W] that were read from `file`.
  Array prepared(Array values, const std::filesystem::path& file) const;
  /// Each volume has its own mean and deviation.
  bool normalizes() const override { return false; }
  /// The first channel's three slices through the middle: along depth, height and width.
  Image picture(const Array& input, const Array* map) const override;
  using Modality::picture;

  const VolumeOptions& options() const { return options_; }

 private:
  VolumeOptions options_;
};

/// The row of the table of modalities: "volume:SIZE:CHANNELS".
ModalityEntry volume_entry();

/// Whether a name ends in .nii, .nii.gz or .npy.
bool is_volume_name(const std::filesystem::path& path);
/// A name without that suffix.
std::string volume_stem(const std::string& name);

/// The numbers of such a file: f32 [C, D, H, W], turned as its own axes say or as `axes`. Errors:
/// data as read_nifti and read_npy, for other shapes, and for volumes larger than largest_volume.
Array read_volume(const std::filesystem::path& file, const VoxelAxes* axes = nullptr);

/// What such a file says of its orientation and spacing; nothing if it is .npy. Errors: as
/// nifti_axes.
VoxelAxes volume_axes(const std::filesystem::path& file);

/// The centre of values [C, D, H, W] of that size, with `beside` where they are smaller; what is
/// odd is at the end.
Array centered(const Array& values, int64_t depth, int64_t height, int64_t width, double beside);

/// The slices of values [D, H, W] through a voxel (z, y, x), by default the middle, beside one
/// another, f32 [rows, columns]: of depth, height and width; `beside` fills what is left.
Array middle_slices(const Array& values, double beside,
                    std::optional<std::array<int64_t, 3>> through = std::nullopt);

/// These slices of the first channel of values [C, D, H, W], in gray, with a map over them as
/// Modality::picture has.
Image volume_picture(const Array& values, const Array* map);

}  // namespace fovea::data
