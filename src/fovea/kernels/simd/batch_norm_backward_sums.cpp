// The first pass of the gradient of batch norm, which adds up; where the statistics are fixed, it
// is the only one.
#include "fovea/kernels/simd/batch_norm_backward.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm_backward_sums.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/batch_norm_backward-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

template <class T, class A>
HWY_INLINE void gradient_sums_as(A activation, const NormGradient& g, const Channels& c,
                                 int64_t block, int64_t chunk, float* const* sums) {
  const auto add = [&](auto constants) FOVEA_INLINE {
    const auto load = loader<T>(activation, g, constants);
    T* kept = as<T>(g.kept);
    return [=](auto at, int64_t i, Sums<2>& sum) FOVEA_INLINE {
      const Pair v = load(at, i);
      sum[0] = hn::Add(sum[0], v.d);
      sum[1] = hn::MulAdd(v.d, v.centred, sum[1]);
      if (kept != nullptr) at.store(v.d, kept + i);
    };
  };
  walk_chunk<2>(c, block, chunk, add, sums);
}

void gradient_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                   float* sum, float* dot) {
  float* const sums[] = {sum, dot};
  with_element(g.dtype, [&]<class T>(T) {
    with_norm_activation<T>(g.epilogue, [&](auto activation) {
      gradient_sums_as<T>(activation, g, c, block, chunk, sums);
    });
  });
}

template <class T>
HWY_INLINE void fixed_gradient_as(const NormGradient& g, const Channels& c, int64_t block,
                                  int64_t chunk, float* const* sums) {
  const auto add = [&](auto constants) FOVEA_INLINE {
    const auto load = loader<T>(NoActivation{}, g, constants);
    const V factor = constants(g.factor);
    T* dx = as<T>(g.dx);
    return [=](auto at, int64_t i, Sums<2>& sum) FOVEA_INLINE {
      const Pair v = load(at, i);
      sum[0] = hn::Add(sum[0], v.d);
      sum[1] = hn::MulAdd(v.d, v.centred, sum[1]);
      at.store(hn::Mul(v.d, factor), dx + i);
    };
  };
  walk_chunk<2>(c, block, chunk, add, sums);
}

void fixed_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                    float* sum, float* dot) {
  float* const sums[] = {sum, dot};
  with_element(g.dtype, [&]<class T>(T) { fixed_gradient_as<T>(g, c, block, chunk, sums); });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {
HWY_EXPORT(gradient_sums);
HWY_EXPORT(fixed_gradient);
}  // namespace

void gradient_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                   float* sum, float* dot) {
  HWY_DYNAMIC_DISPATCH(gradient_sums)(g, c, block, chunk, sum, dot);
}
void fixed_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                    float* sum, float* dot) {
  HWY_DYNAMIC_DISPATCH(fixed_gradient)(g, c, block, chunk, sum, dot);
}

}  // namespace fovea::simd
#endif
