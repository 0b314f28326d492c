// The gradient of batch norm where a pool follows it: dy belongs to the largest element of each
// tile, which both passes find again.
#include "fovea/kernels/simd/batch_norm_backward.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm_backward_tiles.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/norm_epilogue-inl.h"
#include "fovea/kernels/simd/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// The largest element of a tile: its x - mean, its number among the tile's elements, and d there;
/// d is 0 elsewhere.
struct Chosen {
  V centred, number, d;
};

/// The function that finds it for the channels of `constants`: of equal values the first, and NaN
/// counts as largest, as in the forward pass.
template <int fixed_side, class T, class A, class Constants>
HWY_INLINE auto chooser(A activation, const NormGradient& g, const Channels& c,
                        const Constants& constants) {
  const T *x = as<T>(g.x), *dy = as<T>(g.dy), *residual = nullptr;
  const V mean = constants(g.mean), scale = constants(g.scale), beta = constants(g.beta);
  return [=, tiles = g.tiles, width = c.width](auto at, int64_t first, int64_t tile) FOVEA_INLINE {
    Chosen best{all(0), all(0), all(0)};
    V largest = all(0);
    for_each_element<fixed_side>(tiles, width, [&](int64_t k, int64_t offset) FOVEA_INLINE {
      const V centred = hn::Sub(at.load(x + first + offset), mean);
      const V value = activation.value(preactivation(at, centred, scale, beta, residual, 0));
      if (k == 0) {
        largest = value, best.centred = centred;
        return;
      }
      const auto larger = hn::AndNot(hn::Le(value, largest), hn::Eq(largest, largest));
      largest = hn::IfThenElse(larger, value, largest);
      best.centred = hn::IfThenElse(larger, centred, best.centred);
      best.number = hn::IfThenElse(larger, all(static_cast<float>(k)), best.number);
    });
    const V z = preactivation(at, best.centred, scale, beta, residual, 0);
    best.d = through(activation, z, at.load(dy + tile));
    return best;
  };
}

template <int fixed_side, class T, class A>
HWY_NOINLINE void tile_sums_as(A activation, const NormGradient& g, const Channels& c,
                               int64_t block, int64_t chunk, float* const* sums) {
  const auto add = [&](auto constants) FOVEA_INLINE {
    const auto choose = chooser<fixed_side, T>(activation, g, c, constants);
    return [=](auto at, int64_t first, int64_t tile, Sums<2>& sum) FOVEA_INLINE {
      const Chosen best = choose(at, first, tile);
      sum[0] = hn::Add(sum[0], best.d);
      sum[1] = hn::MulAdd(best.d, best.centred, sum[1]);
    };
  };
  walk_tiles<2>(c, g.tiles, block, chunk, add, sums);
}

void tile_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk, float* sum,
               float* dot) {
  float* const sums[] = {sum, dot};
  with_element(g.dtype, [&]<class T>(T) {
    with_tiles(g.epilogue, [&]<int side>(auto activation, std::integral_constant<int, side>) {
      tile_sums_as<side, T>(activation, g, c, block, chunk, sums);
    });
  });
}

template <int fixed_side, class T, class A>
HWY_NOINLINE void tile_gradient_as(A activation, const NormGradient& g, const Channels& c,
                                   int64_t block, int64_t chunk) {
  walk_tiles<0>(c, g.tiles, block, chunk, [&](auto constants) FOVEA_INLINE {
    const auto choose = chooser<fixed_side, T>(activation, g, c, constants);
    const V mean = constants(g.mean);
    const V factor = constants(g.factor), offset = constants(g.offset), tilt = constants(g.tilt);
    const T* x = as<T>(g.x);
    T* dx = as<T>(g.dx);
    return [=, tiles = g.tiles, width = c.width](auto at, int64_t first, int64_t tile, Sums<0>&)
               FOVEA_INLINE {
                 const Chosen best = choose(at, first, tile);
                 for_each_element<fixed_side>(tiles, width, [&](int64_t k, int64_t i) FOVEA_INLINE {
                   const V centred = hn::Sub(at.load(x + first + i), mean);
                   const auto chosen = hn::Eq(best.number, all(static_cast<float>(k)));
                   const V d = hn::Sub(hn::IfThenElseZero(chosen, best.d), offset);
                   at.store(hn::Mul(factor, hn::NegMulAdd(centred, tilt, d)), dx + first + i);
                 });
               };
  });
}

void tile_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk) {
  with_element(g.dtype, [&]<class T>(T) {
    with_tiles(g.epilogue, [&]<int side>(auto activation, std::integral_constant<int, side>) {
      tile_gradient_as<side, T>(activation, g, c, block, chunk);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {
HWY_EXPORT(tile_sums);
HWY_EXPORT(tile_gradient);
}  // namespace

void tile_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk, float* sum,
               float* dot) {
  HWY_DYNAMIC_DISPATCH(tile_sums)(g, c, block, chunk, sum, dot);
}
void tile_gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk) {
  HWY_DYNAMIC_DISPATCH(tile_gradient)(g, c, block, chunk);
}

}  // namespace fovea::simd
#endif
