// The buffers of depthwise convolutions: compiled once per instruction set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#undef FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#else
#define FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#endif

#include <span>

#include "fovea/kernels/simd/depthwise.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise::HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

HWY_INLINE void fill_zero(float* to, int64_t positions) {
  for (int64_t i = 0; i < positions; ++i) hn::Store(all(0), F32(), to + i * lanes);
}

/// Copies rows [first, first + rows) of a plane, a vector per position, with columns [left, left +
/// length); 0 outside the plane. `width` elements lie between two positions of it.
template <class T, class At>
HWY_INLINE void copy_rows(const T* plane, const Axis& row, const Axis& column, int64_t width,
                          int64_t first, int64_t rows, int64_t left, int64_t length, At at,
                          float* to) {
  const int64_t begin = std::clamp<int64_t>(-left, 0, length);
  const int64_t end = std::clamp<int64_t>(column.in - left, begin, length);
  for (int64_t y = first; y < first + rows; ++y, to += length * lanes) {
    if (y < 0 || y >= row.in) {
      fill_zero(to, length);
      continue;
    }
    const T* from = plane + (y * column.in + left) * width;
    fill_zero(to, begin);
    for (int64_t x = begin; x < end; ++x)
      hn::Store(at.load(from + x * width), F32(), to + x * lanes);
    fill_zero(to + end * lanes, length - end);
  }
}

/// Calls f with `size`, from 1 to `maximum`, as a constant.
template <int maximum, class F>
HWY_INLINE void with_constant(int64_t size, const F& f) {
  if constexpr (maximum > 1) {
    if (size < maximum) return with_constant<maximum - 1>(size, f);
  }
  f(std::integral_constant<int, maximum>());
}

/// Outputs that are summed together: their chains hide the latency of multiply-adds.
constexpr int64_t summed_together = HWY_TARGET <= HWY_AVX3 ? 14 : 12;

/// Whether there are registers for the weights of three taps; else they are taken one by one.
constexpr bool joins_threes = HWY_TARGET <= HWY_AVX3;

/// What sums begin with, or null for what is there; and the bounds that they get.
struct Ends {
  const float* start;
  direct::Bounds bounds;
  bool stream = false;  ///< around the caches
};

/// Adds the products of `taps` adjacent taps to the sums of `n` positions, of `vectors` vectors of
/// channels. Inputs are `step` floats apart.
template <int taps, int n, int vectors>
HWY_INLINE void add_adjacent(const float* in, int64_t step, int64_t width, const float* weights,
                             V (&sum)[n][vectors]) {
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    V w[taps];
#pragma GCC unroll 3
    for (int k = 0; k < taps; ++k) w[k] = hn::LoadU(F32(), weights + k * 16 + v * lanes);
#pragma GCC unroll 14
    for (int i = 0; i < n; ++i) {
#pragma GCC unroll 3
      for (int k = 0; k < taps; ++k) {
        const V x = hn::LoadU(F32(), in + i * step + k * width + v * lanes);
        sum[i][v] = hn::MulAdd(w[k], x, sum[i][v]);
      }
    }
  }
}

/// out[i * out_step] = the start and the sum over the taps, within bounds, for `n` outputs.
/// Positions are `width` floats apart; fixed_step, fixed_width: 0, or the value.
template <int n, int vectors, int fixed_step, int fixed_width>
HWY_INLINE void correlate(const float* in, int64_t in_step, int64_t own_width,
                          std::span<const Tap> taps, const float* weights, const Ends& ends,
                          float* out, int64_t out_step) {
  const int64_t width = fixed_width > 0 ? fixed_width : own_width;
  const int64_t step = (fixed_step > 0 ? fixed_step : in_step) * width, to = out_step * width;
  V sum[n][vectors];
  const auto for_each_sum = [&](const auto& f) FOVEA_INLINE {
#pragma GCC unroll 14
    for (int i = 0; i < n; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) f(sum[i][v], out + i * to + v * lanes, v * lanes);
    }
  };
  if (ends.start != nullptr) {
    for_each_sum([&](V& s, float*, int c) FOVEA_INLINE { s = hn::LoadU(F32(), ends.start + c); });
  } else {
    for_each_sum([&](V& s, float* y, int) FOVEA_INLINE { s = hn::LoadU(F32(), y); });
  }
  const Tap* const end = taps.data() + taps.size();
  for (const Tap* tap = taps.data(); tap < end;) {
    const float *from = in + tap->position * width, *w = weights + tap->weight * 16;
    if (joins_threes && fixed_step > 0 && tap->three) {
      add_adjacent<3>(from, step, width, w, sum);
      tap += 3;
    } else {
      add_adjacent<1>(from, step, width, w, sum);
      ++tap;
    }
  }
  const V low = all(ends.bounds.low), high = all(ends.bounds.high);
  for_each_sum([&](V& s, float*, int) FOVEA_INLINE {
    s = hn::Min(high, hn::Max(low, s));  // NaN stays NaN
  });
  if (ends.stream) {
    for_each_sum([&](V& s, float* y, int) FOVEA_INLINE { hn::Stream(s, F32(), y); });
  } else {
    for_each_sum([&](V& s, float* y, int) FOVEA_INLINE { hn::StoreU(s, F32(), y); });
  }
}

/// Calls f(n, begin) for any number of outputs in nearly equal parts of at most `maximum`.
template <int64_t maximum, class F>
HWY_INLINE void for_each_part(int64_t count, const F& f) {
  const int64_t parts = (count + maximum - 1) / maximum;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = count * part / parts, size = count * (part + 1) / parts - begin;
    with_constant<maximum>(size, [&]<int n>(std::integral_constant<int, n> constant)
                                     FOVEA_INLINE { f(constant, begin); });
  }
}

/// The same for any number of outputs, of one vector of channels.
template <int fixed_step, int width>
HWY_NOINLINE void correlate_steps(const float* in, int64_t in_step, std::span<const Tap> taps,
                                  const float* weights, int64_t count, const Ends& ends, float* out,
                                  int64_t out_step) {
  for_each_part<summed_together>(
      count, [&]<int n>(std::integral_constant<int, n>, int64_t begin) FOVEA_INLINE {
        correlate<n, 1, fixed_step, width>(in + begin * in_step * width, in_step, width, taps,
                                           weights, ends, out + begin * out_step * width, out_step);
      });
}

template <int width>
HWY_INLINE void correlate_row(const float* in, int64_t in_step, std::span<const Tap> taps,
                              const float* weights, int64_t count, const Ends& ends, float* out,
                              int64_t out_step) {
  const auto add = in_step == 1   ? correlate_steps<1, width>
                   : in_step == 2 ? correlate_steps<2, width>
                                  : correlate_steps<0, width>;
  add(in, in_step, taps, weights, count, ends, out, out_step);
}

/// Calls f(c, access) for the vectors of a block of 16 channels.
template <class F>
HWY_INLINE void for_each_channel(const Geometry& g, int64_t block, const F& f) {
  for_each_vector(block * 16, std::min(g.channels, block * 16 + 16), f);
}

}  // namespace fovea::simd::depthwise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
