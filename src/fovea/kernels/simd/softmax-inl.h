// Softmax of one row: compiled once per instruction set. Exponentials are relative to the largest
// element. Error bound: 16 eps of the value.
#if defined(FOVEA_KERNELS_SIMD_SOFTMAX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_SOFTMAX_INL_H
#undef FOVEA_KERNELS_SIMD_SOFTMAX_INL_H
#else
#define FOVEA_KERNELS_SIMD_SOFTMAX_INL_H
#endif

#include <cmath>

#include "fovea/kernels/simd/activations-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

HWY_INLINE float row_max(const float* x, int64_t count) {
  V best = all(x[0]);
  for_each_vector(0, count, [&](int64_t i, auto at) FOVEA_INLINE {
    best = at.keep(hn::Max(best, at.load(x + i)), best);
  });
  return hn::GetLane(hn::MaxOfLanes(F32(), best));
}

/// y = factor * exp(x - largest) / sum, or if `log` its logarithm without factor.
HWY_INLINE void softmax_row(const float* x, int64_t classes, bool log, double factor, float* y) {
  const float largest = row_max(x, classes);
  const V top = all(largest);
  const double sum = row_sum(classes, [&](int64_t i, auto at) FOVEA_INLINE {
    const V e = exp(hn::Sub(at.load(x + i), top));
    if (!log) at.store(e, y + i);
    return e;
  });
  const V scale = all(static_cast<float>(factor / sum));
  const V log_sum = all(static_cast<float>(std::log(sum)));
  for_each_vector(0, classes, [&](int64_t i, auto at) FOVEA_INLINE {
    at.store(log ? hn::Sub(hn::Sub(at.load(x + i), top), log_sum) : hn::Mul(at.load(y + i), scale),
             y + i);
  });
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
