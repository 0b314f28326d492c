// Vectors of floats with a remainder at the end: compiled once per instruction set, so the guard
// toggles. Memory holds floats, bf16 or f16; arithmetic is in floats. So a 16-bit result is the
// float result rounded once more: in addition to the float's bound, 2^-8 of it in bf16 and 2^-11 in
// f16 (or 2^-25 if that is more), whose range ends at 65504.
#if defined(FOVEA_KERNELS_SIMD_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#undef FOVEA_KERNELS_SIMD_VECTORS_INL_H
#else
#define FOVEA_KERNELS_SIMD_VECTORS_INL_H
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
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

/// The floats of which 16-bit memory holds the upper halves: bf16.
template <class D>
HWY_INLINE hn::Vec<D> from_bits(Bf16, D d, hn::Vec<HalfWords<D>> bits) {
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

/// The lower halves of words.
template <class D>
HWY_INLINE hn::Vec<HalfWords<D>> lower_halves(D, hn::Vec<Words<D>> words) {
  const auto low = hn::And(words, hn::Set(Words<D>(), 0xffff));
  return hn::DemoteTo(HalfWords<D>(), hn::BitCast(hn::RebindToSigned<D>(), low));
}

template <class D>
HWY_INLINE hn::Vec<HalfWords<D>> to_bits(Bf16, D d, hn::Vec<D> v) {
  return lower_halves(d, hn::ShiftRight<16>(round_to_bf16(d, v)));
}

/// The same for f16; without instructions for it, one by one.
template <class D>
HWY_INLINE hn::Vec<D> from_bits(F16, D d, hn::Vec<HalfWords<D>> bits) {
#if HWY_TARGET <= HWY_AVX2
  return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
#else
  F16 halves[hn::MaxLanes(D())];
  float floats[hn::MaxLanes(D())];
  hn::StoreU(bits, HalfWords<D>(), &halves[0].bits);
  std::copy(std::begin(halves), std::end(halves), floats);
  return hn::LoadU(d, floats);
#endif
}
template <class D>
HWY_INLINE hn::Vec<HalfWords<D>> to_bits(F16, D d, hn::Vec<D> v) {
#if HWY_TARGET <= HWY_AVX2
  return hn::BitCast(HalfWords<D>(), hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v));
#else
  F16 halves[hn::MaxLanes(D())];
  float floats[hn::MaxLanes(D())];
  hn::StoreU(v, d, floats);
  for (size_t i = 0; i < hn::MaxLanes(D()); ++i) halves[i] = F16(floats[i]);
  return hn::LoadU(HalfWords<D>(), &halves[0].bits);
#endif
}

/// Bf16 or F16: memory that vectors of floats are converted from and to.
template <class T>
concept Half = std::is_same_v<T, Bf16> || std::is_same_v<T, F16>;

template <Half T>
HWY_INLINE const uint16_t* half_words(const T* p) {
  return reinterpret_cast<const uint16_t*>(p);
}
template <Half T>
HWY_INLINE uint16_t* half_words(T* p) {
  return reinterpret_cast<uint16_t*>(p);
}

template <class D>
HWY_INLINE hn::Vec<D> load_vector(D d, const float* p) {
  return hn::LoadU(d, p);
}
template <class D, Half T>
HWY_INLINE hn::Vec<D> load_vector(D d, const T* p) {
  return from_bits(T(), d, hn::LoadU(HalfWords<D>(), half_words(p)));
}
template <class D>
HWY_INLINE void store_vector(hn::Vec<D> v, D d, float* p) {
  hn::StoreU(v, d, p);
}
template <class D, Half T>
HWY_INLINE void store_vector(hn::Vec<D> v, D d, T* p) {
  hn::StoreU(to_bits(T(), d, v), HalfWords<D>(), half_words(p));
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
HWY_INLINE void load_pairs(D d, const F16* p, hn::Vec<D>& even, hn::Vec<D>& odd) {
  const auto pairs = hn::LoadU(Words<D>(), reinterpret_cast<const uint32_t*>(p));
  even = from_bits(F16(), d, lower_halves(d, pairs));
  odd = from_bits(F16(), d, lower_halves(d, hn::ShiftRight<16>(pairs)));
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
template <class D>
HWY_INLINE void store_pairs(hn::Vec<D> even, hn::Vec<D> odd, D d, F16* p) {
  const Words<D> words;
  const auto upper = hn::ShiftLeft<16>(hn::PromoteTo(words, to_bits(F16(), d, odd)));
  const auto pairs = hn::Or(hn::PromoteTo(words, to_bits(F16(), d, even)), upper);
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

/// The same, but floats are stored past the caches, to aligned memory: where the vectors that are
/// stored one after another fill lines of the caches, these are not read first. Other threads only
/// see them after hwy::FlushStream().
struct Streamed : Whole {
  using Whole::store;
  static HWY_INLINE void store(V v, float* p) { hn::Stream(v, F32(), p); }
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
  template <Half T>
  HWY_INLINE V load(const T* p) const {
#if HWY_TARGET <= HWY_AVX3
    const HalfWords<F32> d;
    return from_bits(T(), F32(), hn::MaskedLoad(hn::FirstN(d, count), d, half_words(p)));
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
  template <Half T>
  HWY_INLINE void store(V v, T* p) const {
#if HWY_TARGET <= HWY_AVX3
    const HalfWords<F32> d;
    hn::BlendedStore(to_bits(T(), F32(), v), hn::FirstN(d, count), d, half_words(p));
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

/// Access to what will be read soon: it is fetched into the caches, and nothing is computed. CPUs
/// fetch ahead by themselves, but stop at the end of a page of 4 KB, or lose track of several
/// arrays.
struct Ahead {
  static constexpr int64_t elements = 1024;  ///< from what is read now

  template <class T>
  static HWY_INLINE V load(const T* p) {
    hwy::Prefetch(p);
    return hn::Zero(F32());
  }
  template <class T>
  static HWY_INLINE void store(V, T*) {}
};

/// Calls f(i, access) for i from begin to end in steps of a vector; the access is Whole, or Part at
/// the end.
template <class F>
HWY_INLINE void for_each_vector(int64_t begin, int64_t end, const F& f) {
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) f(i, Whole{});
  if (i < end) f(i, Part{static_cast<size_t>(end - i)});
}

/// Calls f with a value of the type in memory: one for which is_simd_float holds, f32, bf16 or f16.
template <class F>
HWY_INLINE void with_element(DType dtype, const F& f) {
#if HWY_TARGET <= HWY_AVX2
  if (dtype == DType::bf16) return f(Bf16());
  if (dtype == DType::f16) return f(F16());
#endif
  (void)dtype;
  f(float());
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
