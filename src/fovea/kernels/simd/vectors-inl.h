// Vectors of floats with a remainder at the end: compiled once per instruction set, so the guard
// toggles. Memory holds floats or bf16; arithmetic is in floats. So a bf16 result is the float
// result rounded once more: 2^-8 of it in addition to the float's bound.
#if defined(FOVEA_KERNELS_SIMD_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#undef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#else
#define FOVEA_KERNELS_SIMD_VECTORS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "fovea/core/dtype.h"

/// For lambdas in inner loops: always inlined into the caller.
#ifndef FOVEA_INLINE
#define FOVEA_INLINE __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
using V = hn::Vec<F32>;

inline constexpr int64_t lanes = hn::MaxLanes(F32());

template <class D>
using Words = hn::RebindToUnsigned<D>;
template <class D>
using HalfWords = hn::Rebind<uint16_t, D>;

/// The bits of bf16 numbers as floats.
template <class D>
HWY_INLINE hn::Vec<D> from_bf16_bits(D d, hn::Vec<HalfWords<D>> bits) {
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(Words<D>(), bits)));
}

/// The bits of v, with v as bf16 in the upper halves: nearest, ties to even, NaN stays NaN.
template <class D>
HWY_INLINE hn::Vec<Words<D>> round_to_bf16(D, hn::Vec<D> v) {
  const Words<D> d;
  const auto bits = hn::BitCast(d, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fff)));
  const auto nan = hn::Or(bits, hn::Set(d, 0x400000));
  return hn::IfThenElse(hn::RebindMask(d, hn::IsNaN(v)), nan, rounded);
}

template <class D>
HWY_INLINE hn::Vec<HalfWords<D>> bf16_bits(D d, hn::Vec<D> v) {
  const auto upper = hn::ShiftRight<16>(round_to_bf16(d, v));
  return hn::DemoteTo(HalfWords<D>(), hn::BitCast(hn::RebindToSigned<D>(), upper));
}

template <class D>
HWY_INLINE hn::Vec<D> load_vector(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load_vector(D d, const Bf16* p) {
  return from_bf16_bits(d, hn::LoadU(HalfWords<D>(), reinterpret_cast<const uint16_t*>(p)));
}
template <class D>
HWY_INLINE void store_vector(hn::Vec<D> v, D d, float* p) {
  hn::StoreU(v, d, p);
}
template <class D>
HWY_INLINE void store_vector(hn::Vec<D> v, D d, Bf16* p) {
  hn::StoreU(bf16_bits(d, v), HalfWords<D>(), reinterpret_cast<uint16_t*>(p));
}

/// Elements 0, 2, 4... and 1, 3, 5... of memory.
template <class D>
HWY_INLINE void load_pairs(D d, const float* p, hn::Vec<D>& even, hn::Vec<D>& odd) {
  hn::LoadInterleaved2(d, p, even, odd);
}
template <class D>
HWY_INLINE void load_pairs(D d, const Bf16* p, hn::Vec<D>& even, hn::Vec<D>& odd) {
  const Words<D> words;
  const auto pairs = hn::LoadU(words, reinterpret_cast<const uint32_t*>(p));
  even = hn::BitCast(d, hn::ShiftLeft<16>(pairs));
  odd = hn::BitCast(d, hn::And(pairs, hn::Set(words, 0xffff0000)));
}
template <class D>
HWY_INLINE void store_pairs(hn::Vec<D> even, hn::Vec<D> odd, D d, float* p) {
  hn::StoreInterleaved2(even, odd, d, p);
}
template <class D>
HWY_INLINE void store_pairs(hn::Vec<D> even, hn::Vec<D> odd, D d, Bf16* p) {
  const Words<D> words;
  const auto upper = hn::And(round_to_bf16(d, odd), hn::Set(words, 0xffff0000));
  const auto pairs = hn::Or(hn::ShiftRight<16>(round_to_bf16(d, even)), upper);
  hn::StoreU(pairs, words, reinterpret_cast<uint32_t*>(p));
}

/// Access to a full vector.
struct Whole {
  static constexpr size_t count = static_cast<size_t>(lanes);

  template <class T>
  static HWY_INLINE V load(const T* p) {
    return load_vector(F32(), p);
  }
  template <class T>
  static HWY_INLINE void store(V v, T* p) {
    store_vector(v, F32(), p);
  }
  static HWY_INLINE V keep(V value, V) { return value; }
};

/// Access to only the first `count` lanes: memory after them is not touched, the others read as 0.
struct Part {
  size_t count;

  HWY_INLINE V load(const float* p) const {
#if HWY_TARGET <= HWY_AVX2
    return hn::MaskedLoad(hn::FirstN(F32(), count), F32(), p);
#else
    return load_copied(p);
#endif
  }
  HWY_INLINE V load(const Bf16* p) const {
#if HWY_TARGET <= HWY_AVX3
    const HalfWords<F32> d;
    const auto there = hn::FirstN(d, count);
    return from_bf16_bits(F32(), hn::MaskedLoad(there, d, reinterpret_cast<const uint16_t*>(p)));
#else
    return load_copied(p);
#endif
  }

  HWY_INLINE void store(V v, float* p) const {
#if HWY_TARGET <= HWY_AVX2
    hn::BlendedStore(v, hn::FirstN(F32(), count), F32(), p);
#else
    store_copied(v, p);
#endif
  }
  HWY_INLINE void store(V v, Bf16* p) const {
#if HWY_TARGET <= HWY_AVX3
    const HalfWords<F32> d;
    hn::BlendedStore(bf16_bits(F32(), v), hn::FirstN(d, count), d, reinterpret_cast<uint16_t*>(p));
#else
    store_copied(v, p);
#endif
  }

  /// `value` in the accessible lanes, `other` elsewhere.
  HWY_INLINE V keep(V value, V other) const {
    return hn::IfThenElse(hn::FirstN(F32(), count), value, other);
  }

 private:
  template <class T>
  HWY_INLINE V load_copied(const T* p) const {
    HWY_ALIGN T buffer[lanes] = {};
    std::memcpy(buffer, p, count * sizeof(T));
    return load_vector(F32(), buffer);
  }
  template <class T>
  HWY_INLINE void store_copied(V v, T* p) const {
    HWY_ALIGN T buffer[lanes];
    store_vector(v, F32(), buffer);
    std::memcpy(p, buffer, count * sizeof(T));
  }
};

/// Calls f(i, access) for i from begin to end in steps of a vector; the access is Whole, or Part at
/// the end.
template <class F>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, const F& f) {
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) f(i, Whole{});
  if (i < end) f(i, Part{static_cast<size_t>(end - i)});
}

/// Calls f with a value of the type in memory, for kernels that take f32 and bf16.
template <class F>
HWY_INLINE void with_element(DType dtype, const F& f) {
  dtype == DType::bf16 ? f(Bf16()) : f(float());
}
template <class T>
HWY_INLINE const T* as(const std::byte* p) {
  return reinterpret_cast<const T*>(p);
}
template <class T>
HWY_INLINE T* as(std::byte* p) {
  return reinterpret_cast<T*>(p);
}

HWY_INLINE V all(float value) { return hn::Set(F32(), value); }

/// Fills n numbers with the sums that add(floats) computes: in `to` itself if that holds floats,
/// else in `sums`, so that each is rounded once.
template <class T, class F>
HWY_INLINE void fill_with_sums(T* to, float* sums, int64_t n, const F& add) {
  if constexpr (std::is_same_v<T, float>) {
    std::fill_n(to, n, 0.f);
    add(to);
  } else {
    std::fill_n(sums, n, 0.f);
    add(sums);
    for_each_vector(0, n,
                    [&](int64_t i, auto at) FOVEA_INLINE { at.store(at.load(sums + i), to + i); });
  }
}

/// The sum of f(i, access) over i from 0 to `size` in steps of a vector: 1024 elements at a time in
/// floats, in double across. Inaccessible lanes do not count.
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

/// x where x > 0, else 0; NaN propagates.
HWY_INLINE V relu(V x) { return hn::IfThenZeroElse(hn::Le(x, all(0)), x); }

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
