// Batch norm forward, f32, bf16 or f16 (vectors over channels in f32), any layout.
//
// Statistics of each chunk are its mean and the sum of squared differences from it (two passes over
// at most 1024 values of a channel, or what a row of a pool's windows reads, in cache), combined in
// double: a mean far from zero costs no precision. y is (x - mean) * scale + beta. Error bound for
// inputs of about 1: 32 eps of max(1, |value|), in eval 8; for a y of bf16 (f16) another 2^-8
// (2^-11) of |y|.
#include <cmath>

#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "fovea/kernels/simd/channels-inl.h"
#include "fovea/kernels/simd/norm_epilogue-inl.h"
#include "fovea/kernels/simd/tiles-inl.h"
#include "fovea/kernels/simd/windows-inl.h"

#ifndef FOVEA_KERNELS_SIMD_BATCH_NORM
#define FOVEA_KERNELS_SIMD_BATCH_NORM
namespace fovea::simd {
namespace {

/// y = activation((x - mean) * scale + beta + residual), with one mean, scale and beta per channel.
struct Normalisation {
  DType dtype;  ///< of x, residual and y
  NormEpilogue epilogue;
  Tiles tiles;
  const std::byte *x, *residual;  ///< residual: null without one
  const float *mean, *scale, *beta;
  std::byte* y;

  /// Whether y is written past the caches, which are too small for it, without reading it first as
  /// they would: not where it takes the place of what is read. With AVX2, an activation that is not
  /// cheap takes two cores as long as memory takes, and going around then costs a tenth.
  bool goes_around(const Channels& c) const {
    constexpr int64_t large = int64_t{1} << 20;  // elements
    return dtype == DType::f32 && !tiles.exist() && c.width % 16 == 0 &&
           c.blocks * c.block_elements() > large && reinterpret_cast<uintptr_t>(y) % 64 == 0 &&
           y != x && y != residual && (has_avx512() || is_cheap(epilogue));
  }
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

template <class T>
HWY_INLINE void moments_of(const T* x, const Channels& c, int64_t block, int64_t chunk, float* mean,
                           float* squares) {
  const auto add = [&](auto) FOVEA_INLINE {
    return [x](auto at, int64_t i, Sums<1>& sum)
               FOVEA_INLINE { sum[0] = hn::Add(sum[0], at.load(x + i)); };
  };
  walk_chunk<1>(c, block, chunk, add, &mean);
  for (int64_t k = 0; k < c.width; ++k) mean[k] /= static_cast<float>(c.size_of(chunk));

  const float* centre = mean - block * c.width;  // constants are indexed by channel
  const auto add_square = [&](auto constants) FOVEA_INLINE {
    const V m = constants(centre);
    return [x, m](auto at, int64_t i, Sums<1>& sum) FOVEA_INLINE {
      const V d = hn::Sub(at.load(x + i), m);
      sum[0] = hn::MulAdd(d, d, sum[0]);
    };
  };
  walk_chunk<1>(c, block, chunk, add_square, &squares);
}

/// Mean and sum of squared differences from it, of each channel of a chunk.
void moments(DType dtype, const std::byte* x, const Channels& c, int64_t block, int64_t chunk,
             float* mean, float* squares) {
  with_element(dtype, [&]<class T>(T) { moments_of(as<T>(x), c, block, chunk, mean, squares); });
}

template <class T, class A>
HWY_INLINE void normalise_as(A activation, const Normalisation& n, const Channels& c, int64_t block,
                             int64_t chunk) {
  const auto normalised = [&](auto constants) FOVEA_INLINE {
    const V mean = constants(n.mean), scale = constants(n.scale), beta = constants(n.beta);
    const T *x = as<T>(n.x), *residual = as<T>(n.residual);
    T* y = as<T>(n.y);
    return [=](auto at, int64_t i, Sums<0>&) FOVEA_INLINE {
      const V centred = hn::Sub(at.load(x + i), mean);
      const V z = preactivation(at, centred, scale, beta, residual, i);
      at.store(activation.value(z), y + i);
    };
  };
  if constexpr (std::is_same_v<T, float>) {
    if (n.goes_around(c)) {
      walk_chunk<0, true>(c, block, chunk, normalised);
      return hwy::FlushStream();
    }
  }
  walk_chunk<0>(c, block, chunk, normalised);
}

/// The largest y of each tile.
template <int fixed_side, class T, class A>
HWY_NOINLINE void pool_as(A activation, const Normalisation& n, const Channels& c, int64_t block,
                          int64_t chunk) {
  walk_tiles<0>(c, n.tiles, block, chunk, [&](auto constants) FOVEA_INLINE {
    const V mean = constants(n.mean), scale = constants(n.scale), beta = constants(n.beta);
    const T *x = as<T>(n.x), *residual = nullptr;
    T* y = as<T>(n.y);
    return [=, tiles = n.tiles, width = c.width](auto at, int64_t first, int64_t tile,
                                                 Sums<0>&) FOVEA_INLINE {
      Largest largest{F32()};
      for_each_element<fixed_side>(tiles, width, [&](int64_t, int64_t offset) FOVEA_INLINE {
        const V centred = hn::Sub(at.load(x + first + offset), mean);
        largest.add(activation.value(preactivation(at, centred, scale, beta, residual, 0)));
      });
      at.store(largest.value(), y + tile);
    };
  });
}

void normalise(const Normalisation& n, const Channels& c, int64_t block, int64_t chunk) {
  with_element(n.dtype, [&]<class T>(T) {
    if (n.tiles.exist()) {
      return with_tiles(n.epilogue,
                        [&]<int side>(auto activation, std::integral_constant<int, side>) {
                          pool_as<side, T>(activation, n, c, block, chunk);
                        });
    }
    with_norm_activation<T>(
        n.epilogue, [&](auto activation) { normalise_as<T>(activation, n, c, block, chunk); });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(moments);
HWY_EXPORT(normalise);

struct Statistics {
  double mean, variance;
};

/// Combines the moments of a channel's chunks; those of chunk i are at i * stride.
Statistics join_moments(const Channels& c, const float* mean, const float* squares,
                        int64_t stride) {
  const auto count = static_cast<double>(c.positions());
  double sum = 0, spread = 0;
  for (int64_t i = 0; i < c.chunks(); ++i)
    sum += static_cast<double>(mean[i * stride]) * static_cast<double>(c.size_of(i));
  const double centre = sum / count;
  for (int64_t i = 0; i < c.chunks(); ++i) {
    const double d = static_cast<double>(mean[i * stride]) - centre;
    spread += static_cast<double>(squares[i * stride]) + d * d * static_cast<double>(c.size_of(i));
  }
  return {centre, spread / count};
}

/// Training's scratch: the means and squares of each chunk.
struct Scratch {
  Scratch(const Channels& c, std::byte* memory)
      : mean(reinterpret_cast<float*>(memory)), squares(mean + c.chunks() * c.channels()) {}
  static size_t bytes(const Channels& c) {
    return static_cast<size_t>(checked_product(c.channels(), 2 * c.chunks() * 4));
  }
  float *mean, *squares;
};

/// The values [C] of a norm in training.
struct Vectors {
  double eps, momentum;
  const float *gamma, *running_mean, *running_var;
  float *mean, *rstd, *new_running_mean, *new_running_var, *scale;
};

/// The moments of a chunk of a block of channels.
void compute_moments(DType dtype, const std::byte* x, const Channels& c, int64_t block,
                     int64_t chunk, const Scratch& scratch) {
  const int64_t at = chunk * c.channels() + block * c.width;
  HWY_DYNAMIC_DISPATCH(moments)
  (dtype, x, c, block, chunk, scratch.mean + at, scratch.squares + at);
}

/// Computes those of one channel from its statistics.
void finish_channel(const Vectors& v, double count, const Statistics& s, int64_t channel) {
  const double rstd = 1 / std::sqrt(s.variance + v.eps), m = v.momentum;
  v.mean[channel] = static_cast<float>(s.mean);
  v.rstd[channel] = static_cast<float>(rstd);
  v.new_running_mean[channel] = static_cast<float>((1 - m) * v.running_mean[channel] + m * s.mean);
  v.new_running_var[channel] =
      static_cast<float>((1 - m) * v.running_var[channel] + m * s.variance * count / (count - 1));
  v.scale[channel] = static_cast<float>(v.gamma[channel] * rstd);
}

/// The same from the moments of its chunks.
void finish_channel(const Vectors& v, const Channels& c, const Scratch& scratch, int64_t channel) {
  finish_channel(v, static_cast<double>(c.positions()),
                 join_moments(c, scratch.mean + channel, scratch.squares + channel, c.channels()),
                 channel);
}

/// y from vectors that are known, all of it in one pass.
void normalise_all(const Normalisation& n, const Channels& c) {
  for_each_chunk(c, [&](int64_t block, int64_t chunk) {
    HWY_DYNAMIC_DISPATCH(normalise)(n, c, block, chunk);
  });
}

}  // namespace

Offer make_batch_norm(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const BatchNorm op = problem.op.get<BatchNorm>();
  if (auto refusal = unless_known(op.epilogue)) return *refusal;
  if (auto offer = in_channels_last(problem, op.epilogue, make_batch_norm))
    return std::move(*offer);
  Channels c = channels_of(problem.in[0]);
  const Tiles tiles = cut_into_tiles(problem.in[0], op.epilogue.pool, c);
  const auto run = [op, c, tiles, dtype = problem.in[0].dtype](const Args& args) {
    const Scratch scratch(c, args.scratch);
    const Vectors vectors{op.eps,
                          op.momentum,
                          args.input<float>(1),
                          args.input<float>(3),
                          args.input<float>(4),
                          args.output<float>(1),
                          args.output<float>(2),
                          args.output<float>(3),
                          args.output<float>(4),
                          args.output<float>(5)};
    const Normalisation n{dtype,
                          op.epilogue,
                          tiles,
                          args.in[0],
                          op.epilogue.residual ? args.in[5] : nullptr,
                          vectors.mean,
                          vectors.scale,
                          args.input<float>(2),
                          args.out[0]};
    two_passes(
        c, (2 + op.epilogue.residual) * static_cast<int64_t>(size_of(dtype)),
        [&](int64_t block, int64_t chunk) {
          compute_moments(dtype, args.in[0], c, block, chunk, scratch);
        },
        [&](int64_t block) {
          for (int64_t k = 0; k < c.width; ++k)
            finish_channel(vectors, c, scratch, block * c.width + k);
        },
        [&](int64_t block, int64_t chunk) {
          HWY_DYNAMIC_DISPATCH(normalise)
          (n, c, block, chunk);
        });
  };
  return offer(run, Scratch::bytes(c));
}

Offer make_batch_norm_statistics(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const auto& op = problem.op.get<BatchNormStatistics>();
  const auto vectors_of = [op](const Args& args, size_t gamma) {
    return Vectors{op.eps,
                   op.momentum,
                   args.input<float>(gamma),
                   args.input<float>(gamma + 1),
                   args.input<float>(gamma + 2),
                   args.output<float>(0),
                   args.output<float>(1),
                   args.output<float>(2),
                   args.output<float>(3),
                   args.output<float>(4)};
  };
  if (op.count > 0) {
    return offer([op, vectors_of, channels = problem.in[0].dim(0)](const Args& args) {
      const Vectors vectors = vectors_of(args, 2);
      for (int64_t k = 0; k < channels; ++k) {
        finish_channel(vectors, static_cast<double>(op.count),
                       {args.input<float>(0)[k], args.input<float>(1)[k]}, k);
      }
    });
  }
  const Channels c = channels_of(problem.in[0]);
  const auto run = [c, vectors_of, dtype = problem.in[0].dtype](const Args& args) {
    const Scratch scratch(c, args.scratch);
    for_each_chunk(c, [&](int64_t block, int64_t chunk) {
      compute_moments(dtype, args.in[0], c, block, chunk, scratch);
    });
    const Vectors vectors = vectors_of(args, 1);
    for (int64_t k = 0; k < c.channels(); ++k) finish_channel(vectors, c, scratch, k);
  };
  return offer(run, Scratch::bytes(c));
}

namespace {

Offer make_again(const Problem& problem, const NormEpilogue& epilogue) {
  if (auto refusal = unless_known(epilogue)) return *refusal;
  if (auto offer = in_channels_last(problem, epilogue, make_batch_norm_eval))
    return std::move(*offer);
  Channels c = channels_of(problem.in[0]);
  const Tiles tiles = cut_into_tiles(problem.in[0], epilogue.pool, c);
  return offer_in_place([=, dtype = problem.in[0].dtype](const Args& args) {
    normalise_all({dtype, epilogue, tiles, args.in[0], epilogue.residual ? args.in[4] : nullptr,
                   args.input<float>(1), args.input<float>(2), args.input<float>(3), args.out[0]},
                  c);
  });
}

}  // namespace

/// With fixed statistics: also of a norm that is computed once more.
Offer make_batch_norm_eval(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  if (const auto* again = problem.op.as<BatchNormAgain>())
    return make_again(problem, again->epilogue);
  const BatchNormEval op = problem.op.get<BatchNormEval>();
  if (auto refusal = unless_known(op.epilogue)) return *refusal;
  if (auto offer = in_channels_last(problem, op.epilogue, make_batch_norm_eval))
    return std::move(*offer);
  Channels c = channels_of(problem.in[0]);
  const Tiles tiles = cut_into_tiles(problem.in[0], op.epilogue.pool, c);
  const auto run = [op, c, tiles, dtype = problem.in[0].dtype](const Args& args) {
    auto* scale = reinterpret_cast<float*>(args.scratch);
    for (int64_t k = 0; k < c.channels(); ++k) {
      const double variance = args.input<float>(4)[k];
      scale[k] = static_cast<float>(args.input<float>(1)[k] / std::sqrt(variance + op.eps));
    }
    normalise_all(
        {dtype, op.epilogue, tiles, args.in[0], op.epilogue.residual ? args.in[5] : nullptr,
         args.input<float>(3), scale, args.input<float>(2), args.out[0]},
        c);
  };
  return offer(run, static_cast<size_t>(c.channels()) * sizeof(float));
}

}  // namespace fovea::simd
#endif
