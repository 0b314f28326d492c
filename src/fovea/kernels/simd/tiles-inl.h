// Loops over square windows that tile the images of Channels: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_TILES_INL_H
#undef FOVEA_KERNELS_SIMD_TILES_INL_H
#else
#define FOVEA_KERNELS_SIMD_TILES_INL_H
#endif

#include "fovea/kernels/simd/channels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

/// Calls f(k, offset) for the elements of a tile, in row-major order.
template <int fixed_side, class F>
HWY_INLINE void for_each_element(const Tiles& t, int64_t width, const F& f) {
  const int64_t side = fixed_side > 0 ? fixed_side : t.side, row = t.columns * side * width;
#pragma GCC unroll 2
  for (int64_t i = 0; i < side; ++i) {
#pragma GCC unroll 2
    for (int64_t j = 0; j < side; ++j) f(i * side + j, i * row + j * width);
  }
}

/// walk_chunk by tiles, in values with adjacent channels: body(at, first, tile, sums) gets the
/// offsets of a tile's first element and of the tile among tiles.
template <size_t n, class F>
HWY_INLINE void walk_tiles(const Channels& c, const Tiles& t, int64_t block, int64_t chunk,
                           const F& f, float* const* out = nullptr) {
  const int64_t begin = chunk * t.chunk_rows, end = std::min(begin + t.chunk_rows, t.all_rows);
  const int64_t row = t.columns * c.width, area = t.side * t.side;
  for_each_vector(0, c.width, [&](int64_t column, auto at) FOVEA_INLINE {
    const auto body = f(ChannelConstants<decltype(at)>{block * c.width + column, at, false});
    Sums<n> sums;
    clear(sums);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t image = r / t.rows;
      int64_t tile = ((image * c.blocks + block) * t.rows + r % t.rows) * row + column;
      int64_t first = (tile - column) * area + column;
      for (int64_t i = 0; i < t.columns; ++i, tile += c.width, first += t.side * c.width)
        body(at, first, tile, sums);
    }
    for (size_t s = 0; const V sum : sums) at.store(sum, out[s++] + column);
  });
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
