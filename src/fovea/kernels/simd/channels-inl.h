// Loops over the elements of one chunk of Channels: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_CHANNELS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_CHANNELS_INL_H
#undef FOVEA_KERNELS_SIMD_CHANNELS_INL_H
#else
#define FOVEA_KERNELS_SIMD_CHANNELS_INL_H
#endif

#include <array>
#include <utility>

#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

/// The running sums of an op, a vector each.
template <size_t n>
using Sums = std::array<V, n>;

/// Loads the constants for the channels of a vector: one each, or one for all when the vector lies
/// along the positions of a channel.
template <class At>
struct ChannelConstants {
  int64_t channel;
  At at;
  bool one_channel;
  HWY_INLINE V operator()(const float* values) const {
    return one_channel ? all(values[channel]) : at.load(values + channel);
  }
};

template <size_t n>
HWY_INLINE void clear(Sums<n>& sums) {
  for (V& sum : sums) sum = all(0);
}

/// `vectors` adjacent vectors of channels from `column` on, `unroll` positions at a time.
template <size_t n, int vectors, int unroll, class At, class F>
HWY_NOINLINE void walk_columns(const Channels& c, int64_t block, int64_t chunk, int64_t column,
                               At at, const F& f, float* const* out) {
  const auto bodies = [&]<int... k>(std::integer_sequence<int, k...>) FOVEA_INLINE {
    return std::array{f(ChannelConstants<At>{block * c.width + column + k * lanes, at, false})...};
  }
  (std::make_integer_sequence<int, vectors>());
  Sums<n> sums[vectors * unroll], unused;
  for (auto& s : sums) clear(s);
  clear(unused);
  const int64_t ahead = std::max<int64_t>(1, Ahead::elements / c.width) * c.width;
  Runs runs(c, block, chunk);
  for (int64_t first, count; runs.next(first, count);) {
    int64_t i = first + column;
    int64_t left = count;
    for (; left >= unroll; left -= unroll, i += unroll * c.width) {
      for (int u = 0; u < unroll; ++u) {
        for (int k = 0; k < vectors; ++k) {
          const int64_t to = i + u * c.width + k * lanes;
          bodies[k](Ahead(), to + ahead, unused);
          bodies[k](at, to, sums[k * unroll + u]);
        }
      }
    }
    for (; left > 0; --left, i += c.width) {
      for (int k = 0; k < vectors; ++k) bodies[k](at, i + k * lanes, sums[k * unroll]);
    }
  }
  for (size_t s = 0; s < n; ++s) {
    for (int k = 0; k < vectors; ++k) {
      V total = sums[k * unroll][s];
      for (int u = 1; u < unroll; ++u) total = hn::Add(total, sums[k * unroll + u][s]);
      at.store(total, out[s] + column + k * lanes);
    }
  }
}

/// One channel's positions by vectors.
template <size_t n, class F>
HWY_NOINLINE void walk_positions(const Channels& c, int64_t block, int64_t chunk, const F& f,
                                 float* const* out) {
  const auto body = f(ChannelConstants<Whole>{block, {}, true});
  Sums<n> sums[4];
  for (auto& s : sums) clear(s);
  Runs runs(c, block, chunk);
  for (int64_t i, count; runs.next(i, count);) {
    for (; count >= 4 * lanes; count -= 4 * lanes, i += 4 * lanes) {
      for (int u = 0; u < 4; ++u) body(Whole{}, i + u * lanes, sums[u]);
    }
    for (; count >= lanes; count -= lanes, i += lanes) body(Whole{}, i, sums[0]);
    if (count > 0) {
      const Part rest{static_cast<size_t>(count)};
      const Sums<n> before = sums[0];
      body(rest, i, sums[0]);
      for (size_t s = 0; s < n; ++s) sums[0][s] = rest.keep(sums[0][s], before[s]);
    }
  }
  for (size_t s = 0; s < n; ++s) {
    const V total = hn::Add(hn::Add(sums[0][s], sums[1][s]), hn::Add(sums[2][s], sums[3][s]));
    *out[s] = hn::GetLane(hn::SumOfLanes(F32(), total));
  }
}

/// Visits each element of a chunk once, by vectors. For each group of channels, f(constants)
/// receives the loader of their constants and returns body(at, i, sums), which is called with the
/// access (Whole or Part, or Ahead, whose sums are unused; `streamed`: Streamed for whole lines of
/// the caches, where chunks are aligned and `width` is a multiple of 16), the offset of the first
/// element, and n sums to add to; out[s] gets sum s of each channel of the block.
template <size_t n, bool streamed = false, class F>
HWY_INLINE void walk_chunk(const Channels& c, int64_t block, int64_t chunk, const F& f,
                           float* const* out = nullptr) {
  if (c.width == 1) return walk_positions<n>(c, block, chunk, f, out);
  using Lines = std::conditional_t<streamed, Streamed, Whole>;
  using Single = std::conditional_t<lanes == 16, Lines, Whole>;
  int64_t column = 0;
  for (; column + 4 * lanes <= c.width; column += 4 * lanes)
    walk_columns<n, 4, 1>(c, block, chunk, column, Lines{}, f, out);
  for (; column + lanes <= c.width; column += lanes)
    walk_columns<n, 1, 4>(c, block, chunk, column, Single{}, f, out);
  if (column < c.width) {
    const Part rest{static_cast<size_t>(c.width - column)};
    walk_columns<n, 1, 1>(c, block, chunk, column, rest, f, out);
  }
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
