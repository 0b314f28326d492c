// The tiles of direct.cpp: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_DIRECT_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_DIRECT_TILE_INL_H
#undef FOVEA_KERNELS_SIMD_DIRECT_TILE_INL_H
#else
#define FOVEA_KERNELS_SIMD_DIRECT_TILE_INL_H
#endif

#include <limits>
#include <span>
#include <type_traits>

#include "fovea/kernels/simd/direct_finish-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::direct {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// How far ahead weights are fetched into the L1 cache, in floats.
constexpr int64_t fetched_weights = 256;

/// Channels of which two tiles of x stay in the L1 cache.
constexpr int64_t few_channels = 128;

/// How many tiles ahead residuals are fetched: a small tile takes less time than they do to arrive.
constexpr int64_t fetched_tiles = HWY_TARGET <= HWY_AVX3 ? 0 : 2;

/// Floats of a cache line: weights are fetched line by line.
constexpr int64_t line = 16;

/// Weights that are fetched into the L2 cache while others are used: `step` of them for each block
/// of channels of x.
struct Ahead {
  const float* weights = nullptr;
  int64_t step = 0;
};

/// What all tiles of a panel read: the weights and the bias of `vectors` vectors of channels.
/// Positions of x are `step` apart.
struct Panel {
  const View& x;
  std::span<const int64_t> taps;
  int64_t channels = 0, step = 0;
  const float *weights = nullptr, *bias = nullptr;
};

/// Where a tile's sums go, within bounds and after a residual is added, if any: the runs' first
/// ones, and the steps to the next position and vector; `stream`: around the caches.
struct Target {
  float* first[together] = {};
  const float* residual[together] = {};
  int64_t column = 0, vector = 0;
  Bounds bounds = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  bool stream = false;
};

/// Adds the products of channel k of one tap to all sums.
template <int length, int runs, int vectors>
HWY_INLINE void add_products(const float* const (&x)[runs], int64_t k, int64_t step, const float* w,
                             V (&sums)[runs * length][vectors]) {
  V right[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) right[j] = hn::Load(F32(), w + j * lanes);
#pragma GCC unroll 6
  for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
    for (int r = 0; r < length; ++r) {
      const V left = all(x[i][r * step + k]);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j)
        sums[i * length + r][j] = hn::MulAdd(left, right[j], sums[i * length + r][j]);
    }
  }
}

/// Adds the products of `count` adjacent channels of one tap, from x on; returns the next weights.
template <int length, int runs, int vectors>
HWY_INLINE const float* add_channels(const float* (&x)[runs], int64_t count, int64_t step,
                                     const float* w, V (&sums)[runs * length][vectors]) {
  int64_t k = 0;
  const auto add = [&]<int n>(std::integral_constant<int, n>) FOVEA_INLINE {
#pragma GCC unroll 2
    for (int m = 0; m < n; ++m, w += vectors * lanes) {
#pragma GCC unroll 2
      for (int64_t j = 0; j < vectors * lanes; j += line)
        __builtin_prefetch(w + fetched_weights + j);
      add_products<length, runs, vectors>(x, k + m, step, w, sums);
    }
    if constexpr (length == 1) {
      k += n;
      asm("" : "+r"(k));  // else compilers count up an address for each position
    } else {
#pragma GCC unroll 6
      for (int i = 0; i < runs; ++i) x[i] += n;
    }
  };
  const float* end = w + count * vectors * lanes;
  if constexpr (length == 1) {
    // Two at a time: fewer instructions, which counts where the core runs another thread, too.
    const float* even = w + count / 2 * 2 * vectors * lanes;
    while (w < even) add(std::integral_constant<int, 2>{});
  }
  while (w < end) add(std::integral_constant<int, 1>{});
  return w;
}

/// The sums of a tile: `vectors` for each position of the runs that begin at `at`.
template <int length, int runs, int vectors>
HWY_INLINE void add_up(const Panel& panel, const float* const* at, Ahead& ahead, const Target& to) {
  const auto& [x, taps, channels, step, weights, bias] = panel;
  V sums[runs * length][vectors];
#pragma GCC unroll 14
  for (int r = 0; r < runs * length; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[r][j] = hn::Load(F32(), bias + j * lanes);
  }
  if (to.residual[0] != nullptr) {
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r) {
#pragma GCC unroll 2
        for (int64_t j = 0; j < vectors * lanes; j += line)
          __builtin_prefetch(to.residual[i] + (r + fetched_tiles * together * longest) * to.column +
                             j / lanes * to.vector);
      }
    }
  }
  const float* w = weights;
  for (const int64_t tap : taps) {
    int64_t offset = tap;
    for (int64_t rest = channels; rest > 0; rest -= x.together, offset += x.block) {
      const float* from[runs];
#pragma GCC unroll 6
      for (int i = 0; i < runs; ++i) {
        from[i] = at[i] + offset;
        const float* next = from[i] + runs * length * step;
        asm("" : "+r"(next));  // else compilers keep an address for each r, on the stack
#pragma GCC unroll 7
        for (int r = 0; r < length; ++r) {  // this block of the next tile, or the next one of this
          if (channels <= few_channels) {
            __builtin_prefetch(next + r * step);
          } else {
            __builtin_prefetch(from[i] + x.block + r * step);
            __builtin_prefetch(next + r * step, 0, 2);
          }
        }
      }
      for (const float* stop = ahead.weights + ahead.step; ahead.weights < stop;
           ahead.weights += line)
        __builtin_prefetch(ahead.weights, 0, 2);
      w = add_channels<length, runs, vectors>(from, std::min(x.together, rest), step, w, sums);
    }
  }
  if (to.residual[0] != nullptr) {
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) {
          const float* from = to.residual[i] + r * to.column + j * to.vector;
          sums[i * length + r][j] = hn::Add(sums[i * length + r][j], hn::LoadU(F32(), from));
        }
      }
    }
  }
  const V low = all(to.bounds.low), high = all(to.bounds.high);
  const auto store_all = [&](auto store) FOVEA_INLINE {
    const int64_t column = to.column, vector = to.vector;  // not read again after each store
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
      float* y = to.first[i];
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r, y += column) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j)
          // NaN stays NaN.
          store(hn::Min(high, hn::Max(low, sums[i * length + r][j])), y + j * vector);
      }
    }
  };
  if (to.stream) {
    store_all([](V v, float* p) FOVEA_INLINE { hn::Stream(v, F32(), p); });
  } else {
    store_all([](V v, float* p) FOVEA_INLINE { hn::StoreU(v, F32(), p); });
  }
}

template <int length, int runs, int vectors>
HWY_NOINLINE void compute_tile(const Panel& panel, const float* const* at, Ahead ahead,
                               const Target& to) {
  add_up<length, runs, vectors>(panel, at, ahead, to);
}

/// Tiles of adjacent positions, from `at` and from the target's first on.
template <int vectors>
HWY_NOINLINE void compute_strip(const Panel& panel, const float* at, int64_t tiles, Ahead ahead,
                                const Target& to) {
  constexpr int runs = 2, length = together * longest / runs;
  const float* starts[runs] = {at, at + length * panel.step};
  Target tile = to;
  tile.first[1] = tile.first[0] + length * to.column;
  if (tile.residual[0] != nullptr) tile.residual[1] = tile.residual[0] + length * to.column;
  for (; tiles > 0; --tiles) {
    add_up<length, runs, vectors>(panel, starts, ahead, tile);
#pragma GCC unroll 2
    for (int i = 0; i < runs; ++i) {
      starts[i] += runs * length * panel.step;
      tile.first[i] += runs * length * to.column;
      if (tile.residual[i] != nullptr) tile.residual[i] += runs * length * to.column;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();
#endif
