// Arithmetic of two vectors by kind: compiled once per instruction set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_ARITHMETIC_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_ARITHMETIC_INL_H
#undef FOVEA_KERNELS_SIMD_ARITHMETIC_INL_H
#else
#define FOVEA_KERNELS_SIMD_ARITHMETIC_INL_H
#endif

#include "fovea/kernels/simd/vectors-inl.h"
#include "fovea/ops/arithmetic.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

/// Calls f with the function of two vectors.
template <class F>
HWY_INLINE void with_binary(BinaryKind kind, const F& f) {
  switch (kind) {
    case BinaryKind::add:
      return f([](V a, V b) FOVEA_INLINE { return hn::Add(a, b); });
    case BinaryKind::sub:
      return f([](V a, V b) FOVEA_INLINE { return hn::Sub(a, b); });
    case BinaryKind::mul:
      return f([](V a, V b) FOVEA_INLINE { return hn::Mul(a, b); });
    case BinaryKind::div:
      return f([](V a, V b) FOVEA_INLINE { return hn::Div(a, b); });
    case BinaryKind::maximum:
      return f([](V a, V b) FOVEA_INLINE {
        return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
      });
    case BinaryKind::minimum:
      return f([](V a, V b) FOVEA_INLINE {
        return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
      });
  }
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
