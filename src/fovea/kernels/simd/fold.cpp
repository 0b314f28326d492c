// A batch norm folded into its convolution, f32: each output channel's weights times one number.
// The scale is made in double. Error bound: 2 eps of the result; of the bias, 4 eps of its terms'
// absolute values.
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

void scale_row(const float* in, float factor, float* out, int64_t n) {
  const V scale = hn::Set(F32(), factor);
  for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE {
    at.store(hn::Mul(scale, at.load(in + i)), out + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(scale_row);

}  // namespace

Offer make_fold_batchnorm(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const FoldBatchNorm op = *problem.op.as<FoldBatchNorm>();
  const int64_t outputs = problem.in[1].numel();
  const int64_t each = outputs == 0 ? 0 : problem.in[0].numel() / outputs;
  return offer([op, outputs, each](const Args& args) {
    const float *w = args.input<float>(0), *gamma = args.input<float>(1);
    const float *beta = args.input<float>(2), *mean = args.input<float>(3);
    const float *var = args.input<float>(4), *bias = op.bias ? args.input<float>(5) : nullptr;
    const int64_t rows = elementwise_grain / std::max<int64_t>(each, 1) + 1;
    parallel_for(outputs, rows, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        const double scale = gamma[o] / std::sqrt(static_cast<double>(var[o]) + op.eps);
        const double offset = (bias != nullptr ? static_cast<double>(bias[o]) : 0.0) - mean[o];
        HWY_DYNAMIC_DISPATCH(scale_row)
        (w + o * each, static_cast<float>(scale), args.output<float>(0) + o * each, each);
        args.output<float>(1)[o] = static_cast<float>(beta[o] + scale * offset);
      }
    });
  });
}

}  // namespace fovea::simd
#endif
