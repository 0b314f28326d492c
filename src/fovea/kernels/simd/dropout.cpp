// Dropout, f32, bf16 or f16: each element's mask depends on its index, so any split over threads
// gives the same bits as the reference, rounded once, for bf16 and f16 twice.
#include "fovea/ops/dropout.h"

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd {
namespace {

template <class T>
Offer dropout_of(const Dropout& op, int64_t count) {
  return offer([op, count](const Args& args) {
    const int64_t* random = args.input<int64_t>(1);
    const DropoutMask mask(op.p, op.key, random[0], random[1]);
    const auto scale = static_cast<float>(mask.scale());
    const T* x = args.input<T>(0);
    T* y = args.output<T>(0);
    const uint64_t threshold = mask.threshold();
    parallel_for((count + 3) / 4, 512, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const std::array<uint32_t, 4> words = mask.words(block);
        const int64_t first = 4 * block, size = std::min<int64_t>(4, count - first);
        for (int64_t i = 0; i < size; ++i) {
          const bool kept = words[static_cast<size_t>(i)] >= threshold;
          y[first + i] = static_cast<T>(kept ? x[first + i] * scale : 0.f);
        }
      }
    });
  });
}

}  // namespace

Offer make_dropout(const Problem& problem) {
  if (auto refusal = unless_one_float(problem, 1)) return *refusal;
  const Dropout& op = problem.op.get<Dropout>();
  const int64_t count = problem.in[0].numel();
  return with_float(problem.in[0].dtype, [&]<class T>(T) { return dropout_of<T>(op, count); });
}

}  // namespace fovea::simd
