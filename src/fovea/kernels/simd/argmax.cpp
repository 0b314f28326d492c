// ArgMax and ConfusionMatrix in f32: exact. Pixels are processed in runs, a class at a time, so
// that reads are contiguous.
#include "fovea/kernels/simd/argmax.h"

#include <algorithm>
#include <array>
#include <limits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/metrics.h"

namespace fovea::simd {
namespace {

/// Logits [N, K, spatial].
struct Logits {
  int64_t samples, classes, plane;

  explicit Logits(const Type& type)
      : samples(type.dim(0)), classes(type.dim(1)), plane(type.shape.slice(2).numel()) {}
  int64_t pixels() const { return samples * plane; }

  /// Writes the class of each pixel.
  template <class Index>
  void classify(const float* logits, Index* out) const {
    constexpr int64_t run = 256;
    const int64_t runs = (plane + run - 1) / run;
    const int64_t grain = elementwise_grain / std::max<int64_t>(1, classes * run) + 1;
    parallel_for(samples * runs, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % runs * run, count = std::min(run, plane - first);
        classify_run(logits + i / runs * classes * plane + first, count,
                     out + i / runs * plane + first);
      }
    });
  }

 private:
  template <class Index>
  void classify_run(const float* logits, int64_t count, Index* out) const {
    constexpr float largest = std::numeric_limits<float>::max();
    std::array<float, 256> best;
    best.fill(-std::numeric_limits<float>::infinity());
    std::fill_n(out, count, Index{0});
    for (int64_t c = 0; c < classes; ++c) {
      const float* z = logits + c * plane;
      for (int64_t p = 0; p < count; ++p) {
        float& known = best[static_cast<size_t>(p)];
        const bool better = z[p] > known && z[p] <= largest;  // false for NaN
        known = better ? z[p] : known;
        out[p] = better ? static_cast<Index>(c) : out[p];
      }
    }
  }
};

}  // namespace

Offer make_argmax(const Problem& problem) {
  if (problem.in[0].dtype != DType::f32) return Refusal{"only f32"};
  const Logits logits(problem.in[0]);
  return offer(
      [=](const Args& args) { logits.classify(args.input<float>(0), args.output<int64_t>(0)); });
}

Offer make_confusion_matrix(const Problem& problem) {
  if (problem.in[0].dtype != DType::f32) return Refusal{"only f32"};
  const Logits logits(problem.in[0]);
  const auto ignored = problem.op.get<ConfusionMatrix>().ignore_index;
  const size_t scratch = static_cast<size_t>(logits.pixels()) * sizeof(int32_t);
  return offer(
      [=](const Args& args) {
        auto* classes = reinterpret_cast<int32_t*>(args.scratch);
        logits.classify(args.input<float>(0), classes);
        const int64_t* labels = args.input<int64_t>(1);
        double* out = args.output<double>(0);
        std::fill_n(out, logits.classes * logits.classes, 0.0);
        for (int64_t i = 0; i < logits.pixels(); ++i) {
          if (ignored && labels[i] == *ignored) continue;
          if (labels[i] < 0 || labels[i] >= logits.classes) fail_as_reference(problem, args);
          ++out[labels[i] * logits.classes + classes[i]];
        }
      },
      scratch);
}

}  // namespace fovea::simd
