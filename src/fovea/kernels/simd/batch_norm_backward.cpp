// Gradients of batch norm, f32, bf16 or f16 (vectors over channels in f32), any layout.
//
// With d = dy where y > 0 (all of dy without relu): dbeta = sum d, dgamma = rstd * sum d (x -
// mean), in floats inside a chunk and in double across chunks; then
//     dx = gamma rstd (d - dbeta / n - (x - mean) rstd dgamma / n).
// Error bound for a few thousand terms of about 1: 512 eps of max(1, |value|); for a dx of bf16
// another 2^-8 of |dx|.
#include <cmath>

#include "fovea/kernels/simd/channels.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/batch_norm_backward.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/channels-inl.h"

#ifndef FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD
#define FOVEA_KERNELS_SIMD_BATCH_NORM_BACKWARD
namespace fovea::simd {
namespace {

/// dx = scale * (d - offset - (x - mean) * tilt), constants per channel; y is null without relu.
struct NormGradient {
  DType dtype;  ///< of x, y, dy, dx and dresidual
  const std::byte *x, *y, *dy;
  const float *mean, *scale, *offset, *tilt;
  std::byte *dx, *dresidual;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// dy where the output is positive.
template <bool clamped, class At, class T>
HWY_INLINE V upstream(At at, const T* y, const T* dy, int64_t i) {
  const V d = at.load(dy + i);
  if constexpr (!clamped) return d;
  return hn::IfThenElseZero(hn::Gt(at.load(y + i), all(0)), d);
}

template <class T, bool clamped>
HWY_INLINE void gradient_sums_as(const NormGradient& g, const Channels& c, int64_t block,
                                 int64_t chunk, float* const* sums) {
  const auto add = [&](auto constants) FOVEA_INLINE {
    const V mean = constants(g.mean);
    const T *x = as<T>(g.x), *y = as<T>(g.y), *dy = as<T>(g.dy);
    return [=](auto at, int64_t i, Sums<2>& sum) FOVEA_INLINE {
      const V d = upstream<clamped>(at, y, dy, i);
      sum[0] = hn::Add(sum[0], d);
      sum[1] = hn::MulAdd(d, hn::Sub(at.load(x + i), mean), sum[1]);
    };
  };
  walk_chunk<2>(c, block, chunk, add, sums);
}

/// Sums of d and of d (x - mean), of each channel of a chunk.
void gradient_sums(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk,
                   float* sum, float* dot) {
  float* const sums[] = {sum, dot};
  with_element(g.dtype, [&]<class T>(T) {
    g.y ? gradient_sums_as<T, true>(g, c, block, chunk, sums)
        : gradient_sums_as<T, false>(g, c, block, chunk, sums);
  });
}

template <class T, bool clamped, bool residual>
HWY_INLINE void gradient_as(const NormGradient& g, const Channels& c, int64_t block,
                            int64_t chunk) {
  walk_chunk<0>(c, block, chunk, [&](auto constants) FOVEA_INLINE {
    const V mean = constants(g.mean), scale = constants(g.scale), offset = constants(g.offset),
            tilt = constants(g.tilt);
    const T *x = as<T>(g.x), *y = as<T>(g.y), *dy = as<T>(g.dy);
    T *dx = as<T>(g.dx), *dresidual = as<T>(g.dresidual);
    return [=](auto at, int64_t i, Sums<0>&) FOVEA_INLINE {
      const V d = upstream<clamped>(at, y, dy, i);
      const V centred = hn::Sub(at.load(x + i), mean);
      at.store(hn::Mul(scale, hn::NegMulAdd(centred, tilt, hn::Sub(d, offset))), dx + i);
      if constexpr (residual) at.store(d, dresidual + i);
    };
  });
}

void gradient(const NormGradient& g, const Channels& c, int64_t block, int64_t chunk) {
  with_element(g.dtype, [&]<class T>(T) {
    if (g.dresidual) {
      g.y ? gradient_as<T, true, true>(g, c, block, chunk)
          : gradient_as<T, false, true>(g, c, block, chunk);
    } else {
      g.y ? gradient_as<T, true, false>(g, c, block, chunk)
          : gradient_as<T, false, false>(g, c, block, chunk);
    }
  });
}

template <class T>
HWY_INLINE void fixed_gradient_as(const NormGradient& g, const Channels& c, int64_t block,
                                  int64_t chunk, float* const* sums) {
  const auto add = [&](auto constants) FOVEA_INLINE {
    const V mean = constants(g.mean), scale = constants(g.scale);
    const T *x = as<T>(g.x), *dy = as<T>(g.dy);
    T* dx = as<T>(g.dx);
    return [=](auto at, int64_t i, Sums<2>& s) FOVEA_INLINE {
      const V d = at.load(dy + i);
      s[0] = hn::Add(s[0], d);
      s[1] = hn::MulAdd(d, hn::Sub(at.load(x + i), mean), s[1]);
      at.store(hn::Mul(d, scale), dx + i);
    };
  };
  walk_chunk<2>(c, block, chunk, add, sums);
}

/// Both in one pass, when dx is d * scale.
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

/// Three constants per channel, then two sums per chunk.
struct Scratch {
  Scratch(const Channels& c, std::byte* memory)
      : scale(reinterpret_cast<float*>(memory)),
        offset(scale + c.channels()),
        tilt(offset + c.channels()),
        sum(tilt + c.channels()),
        dot(sum + c.chunks() * c.channels()) {}
  static size_t bytes(const Channels& c) {
    return static_cast<size_t>(checked_product(c.channels(), (3 + 2 * c.chunks()) * 4));
  }
  float *scale, *offset, *tilt, *sum, *dot;
};

}  // namespace

Offer make_batch_norm_backward(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const BatchNormBackward op = problem.op.get<BatchNormBackward>();
  const Channels c = channels_of(problem.in[0]);
  const auto run = [op, c, dtype = problem.in[0].dtype](const Args& args) {
    const Scratch scratch(c, args.scratch);
    const float *gamma = args.input<float>(1), *rstd = args.input<float>(3);
    const NormGradient g{dtype,
                         args.in[0],
                         op.relu ? args.in[4] : nullptr,
                         args.in[op.relu ? 5 : 4],
                         args.input<float>(2),
                         scratch.scale,
                         scratch.offset,
                         scratch.tilt,
                         args.out[0],
                         op.residual ? args.out[3] : nullptr};
    const auto count = static_cast<double>(c.positions());
    two_passes(
        c, (3 + op.relu + op.residual) * static_cast<int64_t>(size_of(dtype)),
        [&](int64_t block, int64_t chunk) {
          const int64_t at = chunk * c.channels() + block * c.width;
          HWY_DYNAMIC_DISPATCH(gradient_sums)
          (g, c, block, chunk, scratch.sum + at, scratch.dot + at);
        },
        [&](int64_t block) {
          for (int64_t k = block * c.width; k < (block + 1) * c.width; ++k) {
            const double dbeta = join_sums(c, scratch.sum, k), r = rstd[k],
                         dgamma = r * join_sums(c, scratch.dot, k);
            args.output<float>(1)[k] = static_cast<float>(dgamma);
            args.output<float>(2)[k] = static_cast<float>(dbeta);
            scratch.scale[k] = static_cast<float>(gamma[k] * r);
            scratch.offset[k] = static_cast<float>(dbeta / count);
            scratch.tilt[k] = static_cast<float>(r * dgamma / count);
          }
        },
        [&](int64_t block, int64_t chunk) {
          HWY_DYNAMIC_DISPATCH(gradient)
          (g, c, block, chunk);
        });
  };
  return offer(run, Scratch::bytes(c));
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
      scratch.scale[k] = static_cast<float>(args.input<float>(1)[k] * rstd(k));
    const NormGradient g{.dtype = dtype,
                         .x = args.in[0],
                         .y = nullptr,
                         .dy = args.in[4],
                         .mean = args.input<float>(2),
                         .scale = scratch.scale,
                         .offset = nullptr,
                         .tilt = nullptr,
                         .dx = args.out[0],
                         .dresidual = nullptr};
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
