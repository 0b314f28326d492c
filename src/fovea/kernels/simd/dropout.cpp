// Dropout, f32: the mask of each element by its place, so any split over threads gives the same
// bits as the reference, rounded once.
#include "fovea/ops/dropout.h"

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd {

Offer make_dropout(const Problem& problem) {
  if (auto refusal = unless_f32(problem, 1)) return *refusal;
  const Dropout op = *problem.op.as<Dropout>();
  const int64_t count = problem.in[0].numel();
  return offer([op, count](const Args& args) {
    const int64_t* random = args.input<int64_t>(1);
    const DropoutMask mask(op.p, op.key, random[0], random[1]);
    const float *x = args.input<float>(0), scale = static_cast<float>(mask.scale());
    float* y = args.output<float>(0);
    const uint64_t threshold = mask.threshold();
    parallel_for((count + 3) / 4, 512, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const std::array<uint32_t, 4> words = mask.words(block);
        const int64_t first = 4 * block, size = std::min<int64_t>(4, count - first);
        for (int64_t i = 0; i < size; ++i) {
          const bool kept = words[static_cast<size_t>(i)] >= threshold;
          y[first + i] = kept ? x[first + i] * scale : 0;
        }
      }
    });
  });
}

}  // namespace fovea::simd
