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
#include "fovea/kernels/simd/batch_norm_backward.h"

#include <cmath>

#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd {
namespace {

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
          (tiles.exist() ? tile_sums : gradient_sums)(g, c, block, chunk, scratch.sum + at,
                                                      scratch.dot + at);
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
          (tiles.exist() ? tile_gradient : gradient)(second, c, block, chunk);
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
      fixed_gradient(g, c, block, chunk, scratch.sum + at, scratch.dot + at);
    });
    for (int64_t k = 0; k < c.channels(); ++k) {
      args.output<float>(1)[k] = static_cast<float>(rstd(k) * join_sums(c, scratch.dot, k));
      args.output<float>(2)[k] = static_cast<float>(join_sums(c, scratch.sum, k));
    }
  };
  return offer(run, Scratch::bytes(c));
}

}  // namespace fovea::simd
