#pragma once

#include <array>
#include <optional>
#include <string>

#include "fovea/core/array.h"

namespace fovea::data {

/// How the axes of a volume's file lie in the scanned body, and how far its voxels are apart. The
/// stored axes count from the one whose neighbours lie side by side in the file: i, j, k of NIfTI.
struct VoxelAxes {
  /// Whether the file says so; else its axes stay as they are.
  bool known = false;
  /// Where stored axis i belongs: 0, from the left to the right of the body; 1, from its back to
  /// its front; 2, from its feet to its head.
  std::array<int, 3> to{0, 1, 2};
  std::array<bool, 3> reversed{};   ///< whether it runs the other way
  std::array<double, 3> spacing{};  ///< mm from a voxel to the next along it; 0: not known

  /// Where the stored axes go: "RAS" if they are as they belong, "LPS" if i runs to the left and j
  /// to the back; "" if that is not known.
  std::string code() const;
  /// mm along depth, height and width of the turned volume; 0: not known.
  std::array<double, 3> turned_spacing() const;
};

/// The directions of stored axes, one in each column: how far it goes to the right, to the front
/// and up (the rows).
using AxisDirections = std::array<std::array<double, 3>, 3>;

/// Which axes of the body the directions are closest to: those of the closest rotation, as in
/// nibabel's io_orientation. An oblique scan keeps its angle. None when a number is not finite, or
/// when the directions lie in one plane.
std::optional<VoxelAxes> closest_axes(const AxisDirections& directions);

/// Values f32 [C, D, H, W] in stored order with their axes exchanged and reversed so that W runs to
/// the right of the body, H to its front and D to its head (RAS+, as nibabel's
/// as_closest_canonical). The numbers stay what they are; nothing is resampled.
Array turned(const Array& values, const VoxelAxes& axes);

}  // namespace fovea::data
