// Layer norm and its gradient, f32, bf16 or f16 (gamma, beta and statistics f32). A row's sums are
// in floats over 1024 elements at a time, in double across; those of dgamma and dbeta over fixed
// chunks of 64 rows, added in double in order: results do not depend on the number of threads.
// Error bound for values of about 1: 64 eps of max(1, |value|), for dgamma and dbeta 256; for bf16
// y and dx another 2^-8 of them.
#include <cmath>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_LAYER_NORM
#define FOVEA_KERNELS_SIMD_LAYER_NORM
namespace fovea::simd {
namespace {

struct RowMoments {
  double mean, rstd;
};

/// The gradient's inputs and outputs for some rows of `size` elements; dgamma and dbeta are their
/// sums.
struct RowGradient {
  DType dtype;  ///< of x, dy and dx
  const std::byte *x, *dy;
  const float *gamma, *mean, *rstd;
  std::byte* dx;
  float *dgamma, *dbeta;
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
HWY_INLINE RowMoments normalise_row_of(const T* x, const float* gamma, const float* beta,
                                       int64_t size, double eps, T* y) {
  const auto count = static_cast<double>(size);
  const double mean =
      row_sum(size, [&](int64_t i, auto at) FOVEA_INLINE { return at.load(x + i); }) / count;
  const V centre = all(static_cast<float>(mean));
  const double squares = row_sum(size, [&](int64_t i, auto at) FOVEA_INLINE {
    const V d = hn::Sub(at.load(x + i), centre);
    return hn::Mul(d, d);
  });
  const double rstd = 1 / std::sqrt(squares / count + eps);
  const V scale = all(static_cast<float>(rstd));
  for_each_vector(0, size, [&](int64_t i, auto at) FOVEA_INLINE {
    const V normalised = hn::Mul(hn::Sub(at.load(x + i), centre), scale);
    at.store(hn::MulAdd(normalised, at.load(gamma + i), at.load(beta + i)), y + i);
  });
  return {mean, rstd};
}

/// Normalises row `row` of x into y.
RowMoments normalise_row(DType dtype, const std::byte* x, const float* gamma, const float* beta,
                         int64_t size, double eps, std::byte* y, int64_t row) {
  RowMoments moments;
  with_element(dtype, [&]<class T>(T) {
    const int64_t at = row * size;
    moments = normalise_row_of(as<T>(x) + at, gamma, beta, size, eps, as<T>(y) + at);
  });
  return moments;
}

template <class T>
HWY_INLINE void gradient_rows_of(const RowGradient& g, int64_t rows, int64_t size) {
  std::fill_n(g.dgamma, size, 0.f);
  std::fill_n(g.dbeta, size, 0.f);
  for (int64_t row = 0; row < rows; ++row) {
    const T *x = as<T>(g.x) + row * size, *dy = as<T>(g.dy) + row * size;
    T* dx = as<T>(g.dx) + row * size;
    const V mean = all(g.mean[row]), rstd = all(g.rstd[row]);
    const auto normalised = [&](int64_t i, auto at) FOVEA_INLINE {
      return hn::Mul(hn::Sub(at.load(x + i), mean), rstd);
    };
    const auto upstream = [&](int64_t i, auto at) FOVEA_INLINE {
      return hn::Mul(at.load(g.gamma + i), at.load(dy + i));
    };
    const auto count = static_cast<double>(size);
    const double sum = row_sum(size, upstream) / count;
    const double dot =
        row_sum(size, [&](int64_t i, auto at)
                          FOVEA_INLINE { return hn::Mul(upstream(i, at), normalised(i, at)); }) /
        count;
    const V offset = all(static_cast<float>(sum)), tilt = all(static_cast<float>(dot));
    for_each_vector(0, size, [&](int64_t i, auto at) FOVEA_INLINE {
      const V n = normalised(i, at), d = at.load(dy + i);
      const V centred = hn::Sub(upstream(i, at), offset);
      at.store(hn::Mul(rstd, hn::NegMulAdd(n, tilt, centred)), dx + i);
      at.store(hn::MulAdd(d, n, at.load(g.dgamma + i)), g.dgamma + i);
      at.store(hn::Add(d, at.load(g.dbeta + i)), g.dbeta + i);
    });
  }
}

void gradient_rows(const RowGradient& g, int64_t rows, int64_t size) {
  with_element(g.dtype, [&]<class T>(T) { gradient_rows_of<T>(g, rows, size); });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(normalise_row);
HWY_EXPORT(gradient_rows);

constexpr int64_t chunk_rows = 64;

}  // namespace

Offer make_layer_norm(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const double eps = problem.op.get<LayerNorm>().eps;
  const int64_t rows = problem.out[1].numel(), size = problem.in[1].numel();
  return offer([=, dtype = problem.in[0].dtype](const Args& args) {
    parallel_for(rows, elementwise_grain / 4 / size, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const RowMoments m =
            HWY_DYNAMIC_DISPATCH(normalise_row)(dtype, args.in[0], args.input<float>(1),
                                                args.input<float>(2), size, eps, args.out[0], row);
        args.output<float>(1)[row] = static_cast<float>(m.mean);
        args.output<float>(2)[row] = static_cast<float>(m.rstd);
      }
    });
  });
}

Offer make_layer_norm_backward(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const int64_t rows = problem.in[2].numel(), size = problem.in[1].numel();
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  const DType dtype = problem.in[0].dtype;
  const auto run = [=](const Args& args) {
    auto* sums = reinterpret_cast<float*>(args.scratch);  // for each chunk dgamma, then dbeta
    parallel_for(chunks, elementwise_grain / chunk_rows / size, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t row = chunk * chunk_rows;
        const int64_t at = row * size * static_cast<int64_t>(size_of(dtype));
        const RowGradient g{.dtype = dtype,
                            .x = args.in[0] + at,
                            .dy = args.in[4] + at,
                            .gamma = args.input<float>(1),
                            .mean = args.input<float>(2) + row,
                            .rstd = args.input<float>(3) + row,
                            .dx = args.out[0] + at,
                            .dgamma = sums + 2 * chunk * size,
                            .dbeta = sums + (2 * chunk + 1) * size};
        HWY_DYNAMIC_DISPATCH(gradient_rows)(g, std::min(chunk_rows, rows - row), size);
      }
    });
    parallel_for(2 * size, 16, [&](int64_t begin, int64_t end) {
      std::vector<double> totals(static_cast<size_t>(end - begin), 0);
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const float* part = sums + 2 * chunk * size + begin;
        for (double& total : totals) total += static_cast<double>(*part++);
      }
      for (int64_t i = begin; i < end; ++i) {
        (i < size ? args.output<float>(1)[i] : args.output<float>(2)[i - size]) =
            static_cast<float>(totals[static_cast<size_t>(i - begin)]);
      }
    });
  };
  return offer(run, static_cast<size_t>(checked_product(2 * chunks, 4 * size)));
}

}  // namespace fovea::simd
#endif
