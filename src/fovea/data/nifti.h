#pragma once

#include <filesystem>

#include "fovea/core/array.h"
#include "fovea/data/voxel_axes.h"

namespace fovea::data {

/// Larger volumes are refused: 256 Mi numbers, which are 1 GiB of memory.
constexpr int64_t largest_volume = int64_t{1} << 28;

/// Reads a NIfTI-1 file (.nii, or .nii.gz: gzip is recognised by the first bytes), of either byte
/// order and of any of its integer and real types up to 64 bits: f32 [C, D, H, W], where W, H and D
/// are its first three dimensions and C the fourth (time) or fifth (vectors), of which one may be
/// above 1. Values are scaled by scl_slope and scl_inter, unless the slope is 0 or not finite.
///
/// The first three dimensions are exchanged and reversed as nifti_axes says, or as `axes`: W runs
/// to the right of the body, H to its front and D to its head. No more is read or allocated than
/// the header says, which is checked before, and as much again for a volume that is turned. Errors:
/// data when the file is missing, not NIfTI-1, one of a pair (.hdr and .img), of another type
/// (complex, RGB), of other dimensions, larger than largest_volume, truncated or damaged; as
/// nifti_axes.
Array read_nifti(const std::filesystem::path& path, const VoxelAxes* axes = nullptr);

/// What the header says of orientation and spacing: by its sform if sform_code is above 0, else by
/// its qform if qform_code is. Without both the axes are not known and stay as they are stored
/// (nibabel then takes i to run to the left), and the spacing is pixdim's. Spacing is in mm, of the
/// unit in xyzt_units, which is mm if it is not given. Errors: data as read_nifti for the header;
/// for an sform or qform with numbers that are not finite, an sform whose axes have no length or
/// lie in one plane, and a qform whose quaternion is longer than 1.
VoxelAxes nifti_axes(const std::filesystem::path& path);

}  // namespace fovea::data
