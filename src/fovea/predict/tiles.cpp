#include "fovea/predict/tiles.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/images/geometry.h"

namespace fovea {
namespace {

/// The tiles along one axis of `size` pixels, and how much each counts at each of its pixels.
struct Axis {
  int64_t size, tile;
  std::vector<int64_t> begins;
  std::vector<std::vector<float>> weights;  ///< of each tile; those of all tiles add up to 1

  Axis(int64_t pixels, const Tiling& tiling) : size(pixels), tile(tiling.tile) {
    const int64_t step = tile - tiling.overlap, last = std::max<int64_t>(size - tile, 0);
    for (int64_t begin = 0; begin < last; begin += step) begins.push_back(begin);
    begins.push_back(last);
    std::vector<float> sums(static_cast<size_t>(size));
    for (const int64_t begin : begins) {
      std::vector<float> own(static_cast<size_t>(std::min(tile, size)), 1);
      for (size_t i = 0; i < own.size(); ++i) {
        const auto from_start = static_cast<float>(i + 1),
                   to_end = static_cast<float>(own.size() - i);
        const auto ramp = static_cast<float>(tiling.overlap + 1);
        if (begin > 0) own[i] = std::min(own[i], from_start / ramp);
        if (begin < last) own[i] = std::min(own[i], to_end / ramp);
        sums[static_cast<size_t>(begin) + i] += own[i];
      }
      weights.push_back(std::move(own));
    }
    for (size_t t = 0; t < begins.size(); ++t) {
      for (size_t i = 0; i < weights[t].size(); ++i)
        weights[t][i] /= sums[static_cast<size_t>(begins[t]) + i];
    }
  }
};

void check(const Tiling& tiling) {
  if (tiling.tile >= 1 && tiling.overlap >= 0 && 2 * tiling.overlap <= tiling.tile) return;
  throw Error(ErrorKind::usage, "tiles: the overlap must be at most half a tile")
      .with("tile", std::to_string(tiling.tile))
      .with("overlap", std::to_string(tiling.overlap));
}

/// Adds a tile's output [1, K, tile, tile], weighted, to that of the image [1, K, H, W].
void add_tile(const Array& part, const Axis& rows, size_t row, const Axis& columns, size_t column,
              Array& all) {
  const std::vector<float>&wy = rows.weights[row], &wx = columns.weights[column];
  const std::span<const float> from = part.data<float>();
  const std::span<float> to = all.data<float>();
  for (int64_t k = 0; k < part.dim(1); ++k) {
    for (size_t y = 0; y < wy.size(); ++y) {
      const float* in =
          &from[static_cast<size_t>((k * rows.tile + static_cast<int64_t>(y)) * columns.tile)];
      float* out = &to[static_cast<size_t>(
          (k * rows.size + rows.begins[row] + static_cast<int64_t>(y)) * columns.size +
          columns.begins[column])];
      for (size_t x = 0; x < wx.size(); ++x) out[x] += wy[y] * wx[x] * in[x];
    }
  }
}

}  // namespace

Array tiled_output(Inference& inference, const Array& image, const Tiling& tiling) {
  check(tiling);
  const Axis rows(image.dim(0), tiling), columns(image.dim(1), tiling);
  Array all;
  for (size_t row = 0; row < rows.begins.size(); ++row) {
    for (size_t column = 0; column < columns.begins.size(); ++column) {
      const Array cut = crop(image, rows.begins[row], columns.begins[column], tiling.tile,
                             tiling.tile, PaddingMode::reflect);
      const Array part = inference.finite_run(cut.reshaped(Shape{1}.concat(cut.shape())))[0];
      const bool fits =
          part.shape().rank() == 4 && part.dim(2) == tiling.tile && part.dim(3) == tiling.tile;
      if (!fits) {
        throw Error(ErrorKind::usage, "tiles are for nets that give as many pixels as they get")
            .with("tile", fmt::format("{0}x{0}", tiling.tile))
            .with("output", describe(part));
      }
      if (all.shape().rank() != 4)
        all = Array::zeros(DType::f32, {1, part.dim(1), image.dim(0), image.dim(1)});
      add_tile(part, rows, row, columns, column, all);
    }
  }
  return all;
}

}  // namespace fovea
