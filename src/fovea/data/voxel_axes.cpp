#include "fovea/data/voxel_axes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

namespace fovea::data {
namespace {

/// The cofactors, which are the transposed inverse times the determinant.
AxisDirections cofactors(const AxisDirections& m) {
  AxisDirections result{};
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) {
      const size_t r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
      result[r][c] = m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1];
    }
  }
  return result;
}

/// The matrix with columns of length 1; none if one has no length, or a number is not finite.
std::optional<AxisDirections> of_unit_length(AxisDirections m) {
  for (size_t c = 0; c < 3; ++c) {
    const double length = std::hypot(m[0][c], m[1][c], m[2][c]);
    if (!(length > 0) || !std::isfinite(length)) return std::nullopt;
    for (auto& row : m) row[c] /= length;
  }
  return m;
}

/// The closest orthogonal matrix, the first factor of the polar decomposition, by Newton's
/// iteration; none for a matrix that has hardly a volume.
std::optional<AxisDirections> closest_rotation(AxisDirections m) {
  constexpr double flat = 1e-6, exact = 1e-12;
  for (int step = 0; step < 60; ++step) {
    const AxisDirections inverse = cofactors(m);
    double determinant = 0, change = 0;
    for (size_t c = 0; c < 3; ++c) determinant += m[0][c] * inverse[0][c];
    if (!(std::abs(determinant) > flat)) return std::nullopt;
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 3; ++c) {
        const double next = (m[r][c] + inverse[r][c] / determinant) / 2;
        change = std::max(change, std::abs(next - m[r][c]));
        m[r][c] = next;
      }
    }
    if (change < exact) break;
  }
  return m;
}

}  // namespace

std::string VoxelAxes::code() const {
  constexpr std::string_view forward = "RAS", backward = "LPI";
  std::string text;
  for (size_t i = 0; known && i < 3; ++i)
    text += (reversed[i] ? backward : forward)[static_cast<size_t>(to[i])];
  return text;
}

std::array<double, 3> VoxelAxes::turned_spacing() const {
  std::array<double, 3> result{};
  for (size_t i = 0; i < 3; ++i) result[static_cast<size_t>(2 - to[i])] = spacing[i];
  return result;
}

std::optional<VoxelAxes> closest_axes(const AxisDirections& directions) {
  const std::optional<AxisDirections> unit = of_unit_length(directions);
  const std::optional<AxisDirections> rotation = unit ? closest_rotation(*unit) : std::nullopt;
  if (!rotation) return std::nullopt;
  const auto strength = [&](size_t column, size_t row) {
    return std::abs((*rotation)[row][column]);
  };
  // The clearest axis chooses first, so that two never choose the same.
  std::array<size_t, 3> order{0, 1, 2};
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t column) {
    return std::max({strength(column, 0), strength(column, 1), strength(column, 2)});
  });
  VoxelAxes axes{.known = true};
  std::array<bool, 3> taken{};
  for (const size_t column : order) {
    size_t best = 3;
    for (size_t row = 0; row < 3; ++row) {
      if (!taken[row] && (best == 3 || strength(column, row) > strength(column, best))) best = row;
    }
    taken[best] = true;
    axes.to[column] = static_cast<int>(best);
    axes.reversed[column] = (*rotation)[best][column] < 0;
  }
  return axes;
}

Array turned(const Array& values, const VoxelAxes& axes) {
  if (axes.to == VoxelAxes{}.to && axes.reversed == VoxelAxes{}.reversed) return values;
  std::array<int64_t, 3> count{}, sides{}, step{};
  for (size_t i = 0; i < 3; ++i) {
    count[i] = values.dim(3 - static_cast<int>(i));
    sides[static_cast<size_t>(axes.to[i])] = count[i];
  }
  const std::array<int64_t, 3> strides{1, sides[0], sides[0] * sides[1]};
  int64_t origin = 0;
  for (size_t i = 0; i < 3; ++i) {
    step[i] = strides[static_cast<size_t>(axes.to[i])];
    if (!axes.reversed[i]) continue;
    origin += (count[i] - 1) * step[i];
    step[i] = -step[i];
  }
  Array result(DType::f32, {values.dim(0), sides[2], sides[1], sides[0]});
  const float* from = values.data<float>().data();
  for (int64_t c = 0; c < values.dim(0); ++c) {
    float* const volume = result.data<float>().data() + c * count[0] * count[1] * count[2] + origin;
    for (int64_t k = 0; k < count[2]; ++k) {
      for (int64_t j = 0; j < count[1]; ++j) {
        float* const row = volume + k * step[2] + j * step[1];
        for (int64_t i = 0; i < count[0]; ++i) row[i * step[0]] = *from++;
      }
    }
  }
  return result;
}

}  // namespace fovea::data
