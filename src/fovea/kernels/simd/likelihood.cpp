// Negative log-likelihood and its gradient, f32. Log-probabilities are processed in runs: the
// pixels of one class or, if an image is one pixel, its classes; sums of runs and of labels, 4096
// at a time, are added in double, in order: results do not depend on the number of threads. Error
// bound: loss 16 eps of the sum of its terms' absolute values, gradient 8 eps of the largest
// |gradient|.
#include "fovea/ops/likelihood.h"

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/likelihood.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_LIKELIHOOD
#define FOVEA_KERNELS_SIMD_LIKELIHOOD
namespace fovea::simd {
namespace {

/// The factors of a run's log-probabilities: weight * (keep * soft + share), or 0 for an ignored
/// pixel. Missing arrays count as 1, missing soft targets as 0.
struct Factors {
  const float *weights, *soft, *counted;
  float weight, keep, share;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

template <class At>
HWY_INLINE V factor(const Factors& f, int64_t i, At at) {
  V value = all(f.share);
  if (f.soft != nullptr) value = hn::MulAdd(all(f.keep), at.load(f.soft + i), value);
  value = hn::Mul(value, f.weights != nullptr ? at.load(f.weights + i) : all(f.weight));
  if (f.counted == nullptr) return value;
  return hn::IfThenZeroElse(hn::Eq(at.load(f.counted + i), all(0)), value);  // also for inf
}

double run_sum(const Factors& f, const float* logp, int64_t size) {
  return row_sum(size, [&](int64_t i, auto at) FOVEA_INLINE {
    const V value = factor(f, i, at);
    const V product = hn::Mul(value, at.load(logp + i));
    return hn::IfThenZeroElse(hn::Eq(value, all(0)), product);  // 0 * inf is 0 here
  });
}

void run_gradient(const Factors& f, float scale, int64_t size, float* dx) {
  for_each_vector(0, size, [&](int64_t i, auto at) FOVEA_INLINE {
    at.store(hn::Mul(factor(f, i, at), all(scale)), dx + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(run_sum);
HWY_EXPORT(run_gradient);

/// Common to both directions: inputs log-probabilities, targets and, if any, weights.
class Likelihood {
 public:
  Likelihood(const Problem& problem, const NegativeLogLikelihood& op)
      : problem_(problem),
        op_(op),
        classes_(problem.in[0].dim(1)),
        plane_(problem.in[0].shape.slice(2).numel()),
        pixels_(problem.in[0].dim(0) * plane_),
        soft_(problem.in[1].dtype == DType::f32),
        // Runs are needed when more than the label's own log-probability counts.
        runs_(soft_ || op.label_smoothing > 0
                  ? (plane_ == 1 ? pixels_ : pixels_ / plane_ * classes_)
                  : 0),
        run_(plane_ == 1 ? classes_ : plane_) {}

  int64_t runs() const { return runs_; }
  int64_t run() const { return run_; }
  int64_t elements() const { return pixels_ * classes_; }
  int64_t chunks() const { return soft_ ? 0 : (pixels_ + chunk - 1) / chunk; }
  size_t scratch_bytes() const {
    return static_cast<size_t>(8 * (runs_ + 2 * chunks()) + (soft_ ? 0 : 4 * pixels_));
  }

  /// The sums of runs, then those of chunks of labels: of the labels' own log-probabilities, then
  /// of the weights.
  double* run_sums(const Args& args) const { return reinterpret_cast<double*>(args.scratch); }
  double* label_sums(const Args& args) const { return run_sums(args) + runs_; }

  /// Calls body(offset of its log-probability, its weight, its sums) for each label that counts, in
  /// parallel. Errors: data, for a label outside [0, K), with the message of the op's reference.
  template <class Body>
  void for_each_label(const Args& args, const Body& body) const {
    auto* counted = reinterpret_cast<float*>(label_sums(args) + 2 * chunks());
    parallel_for(chunks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        double* sums = label_sums(args) + 2 * c;
        sums[0] = sums[1] = 0;
        for (int64_t p = c * chunk; p < std::min(pixels_, (c + 1) * chunk); ++p) {
          const int64_t label = args.input<int64_t>(1)[p];
          counted[p] = op_.ignore_index == label ? 0 : 1;
          if (counted[p] == 0) continue;
          if (label < 0 || label >= classes_) fail_as_reference(problem_, args);
          body(p / plane_ * classes_ * plane_ + label * plane_ + p % plane_, weight(args, label),
               sums);
        }
      }
    });
  }

  /// Calls body(run, its offset, its factors) for each run, in parallel; after for_each_label.
  template <class Body>
  void for_each_run(const Args& args, const Body& body) const {
    const auto* counted = reinterpret_cast<const float*>(label_sums(args) + 2 * chunks());
    parallel_for(runs_, elementwise_grain / 4 / run_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        Factors f{nullptr,
                  soft_ ? args.input<float>(1) + r * run_ : nullptr,
                  nullptr,
                  1,
                  static_cast<float>(1 - op_.label_smoothing),
                  static_cast<float>(op_.label_smoothing / static_cast<double>(classes_))};
        if (plane_ == 1) {
          if (soft_ || counted[r] != 0) {
            f.weights = op_.weighted ? args.input<float>(2) : nullptr;
          } else {
            f.share = 0;
          }
        } else {
          f.weight = weight(args, r % classes_);
          if (!soft_) f.counted = counted + r / classes_ * plane_;
        }
        body(r, r * run_, f);
      }
    });
  }

  /// The divisor of the loss; call it after for_each_label with bodies that sum weights.
  double total(const Args& args) const {
    if (soft_) return static_cast<double>(pixels_);
    double sum = 0;
    for (int64_t c = 0; c < chunks(); ++c) sum += label_sums(args)[2 * c + 1];
    return sum;
  }
  double keep() const { return 1 - op_.label_smoothing; }

 private:
  static constexpr int64_t chunk = 4096;

  float weight(const Args& args, int64_t label) const {
    return op_.weighted ? args.input<float>(2)[label] : 1;
  }

  Problem problem_;
  NegativeLogLikelihood op_;
  int64_t classes_, plane_, pixels_;
  bool soft_;
  int64_t runs_, run_;
};

}  // namespace

Offer make_negative_log_likelihood(const Problem& problem) {
  if (auto refusal = unless_f32(problem, 1)) return *refusal;
  const Likelihood l(problem, problem.op.get<NegativeLogLikelihood>());
  const auto run = [l](const Args& args) {
    const float* logp = args.input<float>(0);
    l.for_each_label(args, [&](int64_t i, float weight, double* sums) {
      const double factor = l.keep() * double{weight};
      if (factor != 0) sums[0] += factor * double{logp[i]};
      sums[1] += double{weight};
    });
    l.for_each_run(args, [&](int64_t r, int64_t first, const Factors& f) {
      l.run_sums(args)[r] = HWY_DYNAMIC_DISPATCH(run_sum)(f, logp + first, l.run());
    });
    double sum = 0;
    for (int64_t r = 0; r < l.runs(); ++r) sum -= l.run_sums(args)[r];
    for (int64_t c = 0; c < l.chunks(); ++c) sum -= l.label_sums(args)[2 * c];
    *args.output<float>(0) = static_cast<float>(sum / l.total(args));
  };
  return offer(run, l.scratch_bytes());
}

Offer make_negative_log_likelihood_backward(const Problem& problem) {
  if (auto refusal = unless_f32(problem, 1)) return *refusal;
  const Likelihood l(problem, problem.op.get<NegativeLogLikelihoodBackward>().forward);
  const auto run = [l](const Args& args) {
    float* dx = args.output<float>(0);
    l.for_each_label(args, [&](int64_t, float weight, double* sums) { sums[1] += double{weight}; });
    const double scale = -double{*args.input<float>(args.in.size() - 1)} / l.total(args);
    if (l.runs() == 0) {
      const auto none = static_cast<float>(0 * scale);  // NaN if nothing counts
      parallel_for(l.elements(), 4 * elementwise_grain,
                   [&](int64_t begin, int64_t end) { std::fill(dx + begin, dx + end, none); });
    }
    l.for_each_run(args, [&](int64_t, int64_t first, const Factors& f) {
      HWY_DYNAMIC_DISPATCH(run_gradient)(f, static_cast<float>(scale), l.run(), dx + first);
    });
    l.for_each_label(args, [&](int64_t i, float weight, double*) {
      dx[i] += static_cast<float>(scale * l.keep() * double{weight});
    });
  };
  return offer(run, l.scratch_bytes());
}

}  // namespace fovea::simd
#endif
