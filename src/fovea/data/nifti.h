#pragma once

#include <filesystem>

#include "fovea/core/array.h"

namespace fovea::data {

/// Larger volumes are refused: 256 Mi numbers, which are 1 GiB of memory.
constexpr int64_t largest_volume = int64_t{1} << 28;

/// Reads a NIfTI-1 file (.nii, or .nii.gz: gzip is recognised by the first bytes), of either byte
/// order and of any of its integer and real types up to 64 bits: f32 [C, D, H, W], where W, H and D
/// are its first three dimensions and C the fourth (time) or fifth (vectors), of which one may be
/// above 1. Values are scaled by scl_slope and scl_inter, unless the slope is 0 or not finite.
/// Orientation and spacing are ignored. No more is read or allocated than the header says, which is
/// checked before. Errors: data when the file is missing, not NIfTI-1, one of a pair (.hdr and
/// .img), of another type (complex, RGB), of other dimensions, larger than largest_volume,
/// truncated or damaged.
Array read_nifti(const std::filesystem::path& path);

}  // namespace fovea::data
