// What the passes of the gradient of batch norm read: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD_INL_H
#undef FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD_INL_H
#else
#define FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD_INL_H
#endif

#include "fovea/kernels/simd/batch_norm_backward.h"
#include "fovea/kernels/simd/channels-inl.h"
#include "fovea/kernels/simd/norm_epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

/// x - mean and d at the same elements.
struct Pair {
  V centred, d;
};

/// The function that gives them for the channels of `constants`.
template <class T, class A, class Constants>
HWY_INLINE auto loader(A activation, const NormGradient& g, const Constants& constants) {
  const T *x = as<T>(g.x), *dy = as<T>(g.dy), *residual = as<T>(g.residual);
  const V mean = constants(g.mean);
  if constexpr (std::is_same_v<A, NoActivation>) {
    return [=](auto at, int64_t i) FOVEA_INLINE {
      return Pair{hn::Sub(at.load(x + i), mean), at.load(dy + i)};
    };
  } else {
    const V scale = constants(g.scale), beta = constants(g.beta);
    return [=](auto at, int64_t i) FOVEA_INLINE {
      const V centred = hn::Sub(at.load(x + i), mean);
      const V z = preactivation(at, centred, scale, beta, residual, i);
      return Pair{centred, through(activation, z, at.load(dy + i))};
    };
  }
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
