// The second pass of the gradient of batch norm, which computes dx from the sums.
#include "fovea/kernels/simd/batch_norm_backward.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm_backward_dx.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/batch_norm_backward-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

template <class T, class A>
HWY_INLINE void gradient_as(A activation, const NormGradient& g, const Channels& c, int64_t block,
                            int64_t chunk) {
  walk_chunk<0>(c, block, chunk, [&](auto constants) FOVEA_INLINE {
    const auto load = loader<T>(activation, g, constants);
    const V factor = constants(g.factor), offset = constants(g.offset), tilt = constants(g.tilt);
    T *dx = as<T>(g.dx), *dresidual = as<T>(g.dresidual);
    return [=](auto at, int64_t i, Sums<0>&) FOVEA_INLINE {
      const Pair v = load(at, i);
      at.store(hn::Mul(factor, hn::NegMulAdd(v.centred, tilt, hn::Sub(v.d, offset))), dx + i);
      if (dresidual != nullptr) at.store(v.d, dresidual + i);
    };
  });
}

void gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk) {
  with_element(g.dtype, [&]<class T>(T) {
    const auto compute = [&](auto activation) { gradient_as<T>(activation, g, c, block, chunk); };
    if constexpr (std::is_same_v<T, float>) {
      with_cheap_activation(g.epilogue, compute);  // d of others was kept
    } else {
      with_norm_activation<T>(g.epilogue, compute);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {
HWY_EXPORT(gradient);
}  // namespace

void gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk) {
  HWY_DYNAMIC_DISPATCH(gradient)(g, c, block, chunk);
}

}  // namespace fovea::simd
#endif
