// OneHot in f32 or f64: exact.
#include <algorithm>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/metrics.h"

namespace fovea::simd {
namespace {

template <class T>
Offer one_hot(const Problem& problem) {
  const Type& labels = problem.in[0];
  const int64_t classes = problem.op.get<OneHot>().classes, samples = labels.dim(0),
                plane = labels.shape.slice(1).numel();
  return offer([=](const Args& args) {
    const int64_t* label = args.input<int64_t>(0);
    const auto fits = [=](int64_t l) { return l >= 0 && l < classes; };
    if (!std::all_of(label, label + samples * plane, fits)) fail_as_reference(problem, args);
    const int64_t grain = elementwise_grain / std::max<int64_t>(1, classes * plane) + 1;
    parallel_for(samples, grain, [&](int64_t begin, int64_t end) {
      T* out = args.output<T>(0);
      std::fill(out + begin * classes * plane, out + end * classes * plane, T(0));
      for (int64_t i = begin * plane; i < end * plane; ++i)
        out[(i / plane * classes + label[i]) * plane + i % plane] = 1;
    });
  });
}

}  // namespace

Offer make_one_hot(const Problem& problem) {
  switch (problem.out[0].dtype) {
    case DType::f32:
      return one_hot<float>(problem);
    case DType::f64:
      return one_hot<double>(problem);
    default:
      return Refusal{"only f32 and f64"};
  }
}

}  // namespace fovea::simd
