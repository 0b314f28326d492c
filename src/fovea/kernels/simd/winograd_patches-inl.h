// Winograd's transforms of the patches of many tiles: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_WINOGRAD_PATCHES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_WINOGRAD_PATCHES_INL_H
#undef FOVEA_KERNELS_SIMD_WINOGRAD_PATCHES_INL_H
#else
#define FOVEA_KERNELS_SIMD_WINOGRAD_PATCHES_INL_H
#endif

#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd::HWY_NAMESPACE {

/// Calls f(c, access) for the channels of a range by vectors; `channels` is where memory ends.
template <class F>
HWY_INLINE void for_each_channel(Range range, int64_t channels, const F& f) {
  for_each_vector(range.begin, std::min(range.end, channels), f);
}

/// Fetches what the patch of a tile reads that neither the one before nor the one above it has
/// read, and of 5x5 some more: CPUs do not foresee it from the order in which patches are read.
template <class F, int axes, class T>
HWY_INLINE void fetch_patch(const Patches& p, const T* data, const Place& place, int64_t slice,
                            int64_t channel) {
  constexpr int rows = axes == 2 ? F::from : 1;
  constexpr int own = F::from == 9 ? 2 * tile : std::min<int>(tile, F::from);
  const Image& image = p.image;
  const T* first = data + image.offset(place.image, channel, slice, p.step * place.y - p.top,
                                       p.step * place.x - p.left);
  for (int i = std::max(0, rows - own); i < rows; ++i) {
    for (int j = F::from - own; j < F::from; ++j)
      Ahead::load(first + i * image.row + j * image.column);
  }
}

/// Values that are transformed as they are.
struct AsGiven {
  template <class At>
  HWY_INLINE auto of(int64_t, At) const {
    return [](V x) FOVEA_INLINE { return x; };
  }
};

/// The transformed patches of some tiles of one slice, for some channels: one row per tile, one
/// column per channel from range.begin on. Lanes beyond the image's channels are 0.
template <class F, int axes, class T, class Prepare>
HWY_INLINE void transform_patches(const Patches& p, const T* data, const Prepare& prepare,
                                  const Piece& piece, Range channels, const Matrices& to) {
  constexpr int rows = axes == 2 ? F::from : 1;
  constexpr bool own = F::from <= tile;  // of a tile alone, not its neighbours' as well
  const Image& image = p.image;
  for_each_channel(channels, image.channels, [&](int64_t c, auto at) FOVEA_INLINE {
    float* row = to.data + (c - channels.begin);
    const int64_t matrix = to.matrix;
    const auto prepared = prepare.of(c, at);
    constexpr size_t ahead = 4;  // tiles
    for (size_t k = 0; k < piece.tiles.size(); ++k) {
      const Place& place = piece.tiles[k];
      size_t next = k + ahead;
      const bool wraps = next >= piece.tiles.size();  // to the next channels of the first tiles
      if (wraps) next -= piece.tiles.size();
      if (next < piece.tiles.size() && (!wraps || c + lanes < channels.end))
        fetch_patch<F, axes>(p, data, piece.tiles[next], piece.slice, wraps ? c + lanes : c);
      const int64_t y = p.step * place.y - p.top, x = p.step * place.x - p.left;
      const int64_t y_end = own ? y + place.rows : image.height;
      const int64_t x_end = own ? x + place.columns : image.width;
      const T* first = data + image.offset(place.image, c, piece.slice, y, x);
      const int64_t down = image.row, right = image.column;
      if constexpr (std::is_same_v<decltype(at), Whole> && !is_shared<F, T>) {
        if (y >= 0 && x >= 0 && y + rows <= y_end && x + F::from <= x_end) {
          transform<F, axes>(
              [&](int i, int j)
                  FOVEA_INLINE { return prepared(at.load(first + i * down + j * right)); },
              [&](int i, int j, V v)
                  FOVEA_INLINE { hn::Store(v, F32(), row + (i * F::to + j) * matrix); });
          row += to.row;
          continue;
        }
      }
      HWY_ALIGN float values[rows * F::from * lanes];
      for (int i = 0; i < rows; ++i) {
        const bool inside = y + i >= 0 && y + i < y_end;
        for (int j = 0; j < F::from; ++j) {
          const bool given = inside && x + j >= 0 && x + j < x_end;
          hn::Store(given ? prepared(at.load(first + i * down + j * right)) : all(0), F32(),
                    values + (i * F::from + j) * lanes);
        }
      }
      transform_floats<F, axes>(values, lanes, row, matrix);
      row += to.row;
    }
  });
}

}  // namespace fovea::simd::winograd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
