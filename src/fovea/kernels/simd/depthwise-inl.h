// The buffers of depthwise convolutions: compiled once per instruction set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#undef FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#else
#define FOVEA_KERNELS_SIMD_DEPTHWISE_INL_H
#endif

#include "fovea/kernels/simd/depthwise.h"
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

/// Calls f(c, access) for the vectors of a block of 16 channels.
template <class F>
HWY_INLINE void for_each_channel(const Geometry& g, int64_t block, const F& f) {
  for_each_vector(block * 16, std::min(g.channels, block * 16 + 16), f);
}

}  // namespace fovea::simd::depthwise::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
