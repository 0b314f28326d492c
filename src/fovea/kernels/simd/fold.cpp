// A batch norm folded into its convolution, weights f32, bf16 or f16: each output channel's are
// scaled. The scale is computed in double. Error bound: 2 eps of the result, for bf16 (f16) another
// 2^-8 (2^-11); for the bias, 4 eps of its terms' absolute values. Gradients are scaled alike; that
// of gamma sums in floats over 1024 products, in double across.
#include "fovea/ops/fold.h"

#include <cmath>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/fold.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Scales the n numbers starting at `begin`.
void scale_row(DType dtype, const std::byte* in, float factor, std::byte* out, int64_t begin,
               int64_t n) {
  with_element(dtype, [&]<class T>(T) {
    for_each_vector(begin, begin + n, [&](int64_t i, auto at) FOVEA_INLINE {
      at.store(hn::Mul(all(factor), at.load(as<T>(in) + i)), as<T>(out) + i);
    });
  });
}

/// The same of n gradients; returns the sum of their products with the weights.
double scale_gradients(DType dtype, const std::byte* weights, const std::byte* in, float factor,
                       std::byte* out, int64_t begin, int64_t n) {
  double sum = 0;
  with_element(dtype, [&]<class T>(T) {
    sum = row_sum(n, [&](int64_t i, auto at) FOVEA_INLINE {
      const V d = at.load(as<T>(in) + begin + i);
      at.store(hn::Mul(all(factor), d), as<T>(out) + begin + i);
      return hn::Mul(d, at.load(as<T>(weights) + begin + i));
    });
  });
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(scale_row);
HWY_EXPORT(scale_gradients);

/// The weights of one output channel.
int64_t weights_each(const Problem& problem) {
  const int64_t outputs = problem.in[1].numel();
  return outputs == 0 ? 0 : problem.in[0].numel() / outputs;
}

/// Calls f(output channel).
template <class F>
void for_each_output(int64_t outputs, int64_t each, const F& f) {
  const int64_t rows = elementwise_grain / std::max<int64_t>(each, 1) + 1;
  parallel_for(outputs, rows, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) f(o);
  });
}

}  // namespace

Offer make_fold_batchnorm(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const FoldBatchNorm op = problem.op.get<FoldBatchNorm>();
  const int64_t outputs = problem.in[1].numel(), each = weights_each(problem);
  return offer([op, outputs, each, dtype = problem.in[0].dtype](const Args& args) {
    const float *gamma = args.input<float>(1), *beta = args.input<float>(2);
    const float *mean = args.input<float>(3), *var = args.input<float>(4),
                *bias = op.bias ? args.input<float>(5) : nullptr;
    for_each_output(outputs, each, [&](int64_t o) {
      const double scale = gamma[o] / std::sqrt(static_cast<double>(var[o]) + op.eps);
      const double offset = (bias != nullptr ? static_cast<double>(bias[o]) : 0.0) - mean[o];
      HWY_DYNAMIC_DISPATCH(scale_row)
      (dtype, args.in[0], static_cast<float>(scale), args.out[0], o * each, each);
      args.output<float>(1)[o] = static_cast<float>(beta[o] + scale * offset);
    });
  });
}

Offer make_fold_batchnorm_backward(const Problem& problem) {
  if (auto refusal = unless_float_beside_f32(problem)) return *refusal;
  const FoldBatchNormBackward op = problem.op.get<FoldBatchNormBackward>();
  const int64_t outputs = problem.in[1].numel(), each = weights_each(problem);
  return offer([op, outputs, each, dtype = problem.in[0].dtype](const Args& args) {
    const float *gamma = args.input<float>(1), *mean = args.input<float>(2),
                *var = args.input<float>(3), *dbias = args.input<float>(5),
                *bias = op.bias ? args.input<float>(6) : nullptr;
    for_each_output(outputs, each, [&](int64_t o) {
      const double rstd = 1 / std::sqrt(static_cast<double>(var[o]) + op.eps),
                   scale = gamma[o] * rstd, d = dbias[o];
      const double offset = (bias != nullptr ? static_cast<double>(bias[o]) : 0.0) - mean[o];
      const double sum = HWY_DYNAMIC_DISPATCH(scale_gradients)(
          dtype, args.in[0], args.in[4], static_cast<float>(scale), args.out[0], o * each, each);
      args.output<float>(1)[o] = static_cast<float>(rstd * (sum + offset * d));
      args.output<float>(2)[o] = static_cast<float>(d);
      if (op.bias) args.output<float>(3)[o] = static_cast<float>(scale * d);
    });
  });
}

}  // namespace fovea::simd
#endif
