// What follows the sums of a depthwise convolution: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H
#undef FOVEA_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H
#else
#define FOVEA_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H
#endif

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/depthwise_bands.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Applies the epilogue to rows of sums and writes them to y.
template <class T, class At>
HWY_INLINE void finish_rows(const Run& r, int64_t offset, int64_t positions, At at, float* sums) {
  const int64_t width = r.g.width();
  size_t residual = 0;
  for (const EpilogueStep& step : r.steps) {
    if (step.activation) {
      activate(*step.activation, step.alpha, sums, positions * lanes);
      continue;
    }
    const T* from = as<T>(r.residuals[residual++]) + offset;
    for (int64_t i = 0; i < positions; ++i) {
      float* to = sums + i * lanes;
      hn::Store(hn::Add(hn::Load(F32(), to), at.load(from + i * width)), F32(), to);
    }
  }
  T* y = as<T>(r.y) + offset;
  if constexpr (std::is_same_v<T, float> && std::is_same_v<At, Whole>) {
    if (r.stream) {
      for (int64_t i = 0; i < positions; ++i)
        hn::Stream(hn::Load(F32(), sums + i * lanes), F32(), y + i * width);
      return;
    }
  }
  for (int64_t i = 0; i < positions; ++i)
    at.store(hn::Load(F32(), sums + i * lanes), y + i * width);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::depthwise
HWY_AFTER_NAMESPACE();
#endif
