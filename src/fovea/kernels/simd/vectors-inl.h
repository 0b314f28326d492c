// Vectors of floats with a rest at the end: compiled once an instruction set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#undef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#else
#define FOVEA_KERNELS_SIMD_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

/// On a lambda of an inner loop: part of its caller, whatever its size.
#ifndef FOVEA_INLINE
#define FOVEA_INLINE __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using V = hn::Vec<F32>;

inline constexpr int64_t lanes = hn::MaxLanes(F32());

/// Where a full vector is read and written.
struct Whole {
  static HWY_INLINE V load(const float* p) { return hn::LoadU(F32(), p); }
  static HWY_INLINE void store(V v, float* p) { hn::StoreU(v, F32(), p); }
  static HWY_INLINE V keep(V value, V) { return value; }
};

/// Where only the first `count` lanes are: nothing behind them is touched, they read as 0.
struct Part {
  size_t count;

  HWY_INLINE V load(const float* p) const {
#if HWY_TARGET <= HWY_AVX2
    return hn::MaskedLoad(hn::FirstN(F32(), count), F32(), p);
#else
    HWY_ALIGN float buffer[lanes] = {};
    std::memcpy(buffer, p, count * sizeof(float));
    return hn::Load(F32(), buffer);
#endif
  }
  HWY_INLINE void store(V v, float* p) const {
#if HWY_TARGET <= HWY_AVX2
    hn::BlendedStore(v, hn::FirstN(F32(), count), F32(), p);
#else
    HWY_ALIGN float buffer[lanes];
    hn::Store(v, F32(), buffer);
    std::memcpy(p, buffer, count * sizeof(float));
#endif
  }
  /// `value` in the lanes there are, `other` elsewhere.
  HWY_INLINE V keep(V value, V other) const {
    return hn::IfThenElse(hn::FirstN(F32(), count), value, other);
  }
};

/// Calls f(i, where) for i from begin to end in steps of a vector; `where` is Whole, or at the end
/// Part.
template <class F>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, const F& f) {
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) f(i, Whole{});
  if (i < end) f(i, Part{static_cast<size_t>(end - i)});
}

HWY_INLINE V all(float value) { return hn::Set(F32(), value); }

/// The sum of f(i, where) over i from 0 to `size` in steps of a vector: 1024 elements at a time in
/// floats, in double across. Lanes that are not there do not count.
template <class F>
HWY_INLINE double row_sum(int64_t size, const F& f) {
  double total = 0;
  for (int64_t begin = 0; begin < size; begin += 1024) {
    V sum = all(0);
    for_each_vector(begin, std::min(size, begin + 1024), [&](int64_t i, auto at) FOVEA_INLINE {
      sum = hn::Add(sum, at.keep(f(i, at), all(0)));
    });
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(F32(), sum)));
  }
  return total;
}

/// x where x > 0, else 0; NaN stays.
HWY_INLINE V relu(V x) { return hn::IfThenZeroElse(hn::Le(x, all(0)), x); }

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
