// Gradients of batch norm, f32, bf16 or f16 (vectors over channels in f32), any layout.
//
// With d = dy times the slope of the activation at what it was applied to, computed again from x as
// the forward pass did: dbeta = sum d, dgamma = rstd * sum d (x - mean), in floats inside a chunk
// and in double across chunks; then
//     dx = gamma rstd (d - dbeta / n - (x - mean) rstd dgamma / n).
// Where d takes long to compute, or is an output of its own, the first pass keeps it for the
// second. With a pool, dy belongs to the largest element of each tile, which is found again, too.
// Error bound for a few thousand terms of about 1: 512 eps of max(1, |value|); for a dx of bf16
// another 2^-8 of |dx|.
#include <cmath>

#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm_backward.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/channels-inl.h"
#include "fovea/kernels/simd/norm_epilogue-inl.h"
#include "fovea/kernels/simd/tiles-inl.h"

#ifndef FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD
#define FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD
namespace fovea::simd {
namespace {

/// dx = factor * (d - offset - (x - mean) * tilt), constants per channel.
struct NormGradient {
  DType dtype;  ///< of x, residual, dy, dx and dresidual
  NormEpilogue epilogue = {};
  Tiles tiles = {};
  const std::byte *x = nullptr, *dy = nullptr;
  const float *mean = nullptr, *factor = nullptr, *offset = nullptr, *tilt = nullptr;
  std::byte *dx = nullptr, *dresidual = nullptr;
  std::byte* kept = nullptr;  ///< where the sums' pass stores d; null: nowhere
  /// For the activation, if there is one.
  const float *scale = nullptr, *beta = nullptr;
  const std::byte* residual = nullptr;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

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

/// Sums of d and of d (x - mean), of each channel of a chunk.
void gradient_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                   float* sum, float* dot) {
  float* const sums[] = {sum, dot};
  with_element(g.dtype, [&]<class T>(T) {
    if (g.tiles.exist()) {
      return with_tiles(g.epilogue,
                        [&]<int side>(auto activation, std::integral_constant<int, side>) {
                          tile_sums_as<side, T>(activation, g, c, block, chunk, sums);
                        });
    }
    with_norm_activation(g.epilogue, [&](auto activation) {
      gradient_sums_as<T>(activation, g, c, block, chunk, sums);
    });
  });
}

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
    if (g.tiles.exist()) {
      return with_tiles(g.epilogue,
                        [&]<int side>(auto activation, std::integral_constant<int, side>) {
                          tile_gradient_as<side, T>(activation, g, c, block, chunk);
                        });
    }
    const auto compute = [&](auto activation) { gradient_as<T>(activation, g, c, block, chunk); };
    if constexpr (std::is_same_v<T, float>) {
      with_cheap_activation(g.epilogue, compute);  // d of others was kept
    } else {
      with_norm_activation(g.epilogue, compute);
    }
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

/// Both in one pass, when dx is d * factor.
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
HWY_EXPORT(gradient);
HWY_EXPORT(fixed_gradient);

/// Constants per channel, then two sums per chunk.
struct Scratch {
  Scratch(const Channels& c, std::byte* memory)
      : factor(reinterpret_cast<float*>(memory)),
        offset(factor + c.channels()),
        tilt(offset + c.channels()),
        mean(tilt + c.channels()),
        scale(mean + c.channels()),
        beta(scale + c.channels()),
        sum(beta + c.channels()),
        dot(sum + c.chunks() * c.channels()) {}
  static size_t bytes(const Channels& c) {
    return static_cast<size_t>(checked_product(c.channels(), (6 + 2 * c.chunks()) * 4));
  }
  float *factor, *offset, *tilt;
  float *mean, *scale, *beta;  ///< copies: a gradient [C] may take the place of an input [C]
  float *sum, *dot;
};

/// Whether d is stored by the pass that adds it up: in dresidual, or in dx. 16-bit values would
/// round it; a relu is computed again in less time than d is written and read.
bool keeps_d(const NormEpilogue& epilogue, DType dtype) {
  return dtype == DType::f32 && epilogue.pool == 0 && (epilogue.residual || !is_cheap(epilogue));
}

NormGradient gradient_of(const NormEpilogue& epilogue, const Tiles& tiles, DType dtype,
                         const Args& args, const Scratch& scratch) {
  NormGradient g{.dtype = dtype,
                 .epilogue = epilogue,
                 .tiles = tiles,
                 .x = args.in[0],
                 .dy = args.in.back(),
                 .mean = args.input<float>(2),
                 .factor = scratch.factor,
                 .offset = scratch.offset,
                 .tilt = scratch.tilt,
                 .dx = args.out[0]};
  if (epilogue.selects()) {
    g.scale = args.input<float>(4);
    g.beta = args.input<float>(5);
    if (epilogue.residual) g.residual = args.in[6];
  }
  if (epilogue.residual) g.dresidual = args.out[3];
  return g;
}

}  // namespace

Offer make_batch_norm_backward(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const NormEpilogue epilogue = problem.op.get<BatchNormBackward>().epilogue;
  if (auto refusal = unless_known(epilogue)) return *refusal;
  if (auto offer = in_channels_last(problem, epilogue, make_batch_norm_backward))
    return std::move(*offer);
  Channels c = channels_of(problem.in[0]);
  const Tiles tiles = cut_into_tiles(problem.in[0], epilogue.pool, c);
  const bool keeps = keeps_d(epilogue, problem.in[0].dtype);
  const auto run = [epilogue, c, tiles, keeps, dtype = problem.in[0].dtype](const Args& args) {
    const Scratch scratch(c, args.scratch);
    const float *gamma = args.input<float>(1), *rstd = args.input<float>(3);
    NormGradient g = gradient_of(epilogue, tiles, dtype, args, scratch);
    NormGradient second = g;
    second.mean = scratch.mean;
    second.scale = scratch.scale;
    second.beta = scratch.beta;
    if (keeps) {
      g.kept = epilogue.residual ? g.dresidual : g.dx;
      second.epilogue = {}, second.dy = g.kept, second.dresidual = nullptr;
    }
    const auto count = static_cast<double>(c.positions());
    two_passes(
        c, (3 + 2 * epilogue.residual) * static_cast<int64_t>(size_of(dtype)),
        [&](int64_t block, int64_t chunk) {
          const int64_t at = chunk * c.channels() + block * c.width;
          HWY_DYNAMIC_DISPATCH(gradient_sums)
          (g, c, block, chunk, scratch.sum + at, scratch.dot + at);
        },
        [&](int64_t block) {
          for (int64_t k = block * c.width; k < (block + 1) * c.width; ++k) {
            const double dbeta = join_sums(c, scratch.sum, k), r = rstd[k],
                         dgamma = r * join_sums(c, scratch.dot, k);
            scratch.factor[k] = static_cast<float>(gamma[k] * r);
            scratch.offset[k] = static_cast<float>(dbeta / count);
            scratch.tilt[k] = static_cast<float>(r * dgamma / count);
            scratch.mean[k] = g.mean[k];
            if (epilogue.selects()) {
              scratch.scale[k] = g.scale[k];
              scratch.beta[k] = g.beta[k];
            }
            args.output<float>(1)[k] = static_cast<float>(dgamma);
            args.output<float>(2)[k] = static_cast<float>(dbeta);
          }
        },
        [&](int64_t block, int64_t chunk) {
          HWY_DYNAMIC_DISPATCH(gradient)
          (second, c, block, chunk);
        });
  };
  // The second pass reads x after d was stored.
  const size_t holds_d = epilogue.residual ? 3 : 0;
  return offer(run, Scratch::bytes(c), [=](size_t input, size_t output) {
    return !(keeps && input == 0 && output == holds_d);
  });
}

Offer make_batch_norm_eval_backward(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const double eps = problem.op.get<BatchNormEvalBackward>().eps;
  const Channels c = channels_of(problem.in[0]);
  const auto run = [eps, c, dtype = problem.in[0].dtype](const Args& args) {
    const Scratch scratch(c, args.scratch);
    const auto rstd = [&](int64_t k) {
      return 1 / std::sqrt(static_cast<double>(args.input<float>(3)[k]) + eps);
    };
    for (int64_t k = 0; k < c.channels(); ++k)
      scratch.factor[k] = static_cast<float>(args.input<float>(1)[k] * rstd(k));
    const NormGradient g{.dtype = dtype,
                         .x = args.in[0],
                         .dy = args.in[4],
                         .mean = args.input<float>(2),
                         .factor = scratch.factor,
                         .dx = args.out[0]};
    for_each_chunk(c, [&](int64_t block, int64_t chunk) {
      const int64_t at = chunk * c.channels() + block * c.width;
      HWY_DYNAMIC_DISPATCH(fixed_gradient)
      (g, c, block, chunk, scratch.sum + at, scratch.dot + at);
    });
    for (int64_t k = 0; k < c.channels(); ++k) {
      args.output<float>(1)[k] = static_cast<float>(rstd(k) * join_sums(c, scratch.dot, k));
      args.output<float>(2)[k] = static_cast<float>(join_sums(c, scratch.sum, k));
    }
  };
  return offer(run, Scratch::bytes(c));
}

}  // namespace fovea::simd
#endif
