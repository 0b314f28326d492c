// Softmax cross-entropy and its gradient, f32. Rows are added in double, in order, so results do
// not depend on the number of threads. Error bound: loss 16 eps of max(1, |loss|), gradient 64 eps
// of max(|dy| / N, |gradient|).
#include "fovea/ops/loss.h"

#include <cmath>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/loss.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/softmax-inl.h"

#ifndef FOVEA_KERNELS_SIMD_LOSS
#define FOVEA_KERNELS_SIMD_LOSS
namespace fovea::simd {
namespace {

/// One row's targets: a label, or `soft` weights of the classes;
/// smoothed by w = (1 - smoothing) * t + smoothing / K.
struct RowTargets {
  int64_t label;
  const float* soft;
  double smoothing;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Smoothed weights of a row of soft targets.
template <class At>
HWY_INLINE V soft_weights(At at, const RowTargets& t, int64_t classes, int64_t i) {
  return hn::MulAdd(at.load(t.soft + i), all(static_cast<float>(1 - t.smoothing)),
                    all(static_cast<float>(t.smoothing / static_cast<double>(classes))));
}

double row_loss(const float* x, int64_t classes, const RowTargets& t) {
  const float largest = row_max(x, classes);
  const V top = all(largest);
  const auto below = [&](int64_t i, auto at) FOVEA_INLINE { return hn::Sub(at.load(x + i), top); };
  const double norm = std::log(
      row_sum(classes, [&](int64_t i, auto at) FOVEA_INLINE { return exp(below(i, at)); }));
  if (t.soft != nullptr) {
    const V log_sum = all(static_cast<float>(norm));
    return row_sum(classes, [&](int64_t i, auto at) FOVEA_INLINE {
      const V w = soft_weights(at, t, classes, i);
      const V term = hn::Mul(w, hn::Sub(log_sum, below(i, at)));
      return hn::IfThenZeroElse(hn::Eq(w, all(0)), term);  // 0 * inf is 0 here
    });
  }
  double loss = 0;
  if (t.smoothing < 1) loss += (1 - t.smoothing) * (norm - (double{x[t.label]} - largest));
  if (t.smoothing > 0)
    loss += t.smoothing * (norm - row_sum(classes, below) / static_cast<double>(classes));
  return loss;
}

void row_gradient(const float* x, int64_t classes, const RowTargets& t, double scale, float* dx) {
  double total = 1;  // of the weights
  if (t.soft != nullptr) {
    total = row_sum(
        classes, [&](int64_t i, auto at) FOVEA_INLINE { return soft_weights(at, t, classes, i); });
  }
  softmax_row(x, classes, false, scale * total, dx);
  const V factor = all(static_cast<float>(scale));
  const V everywhere = all(static_cast<float>(scale * t.smoothing / static_cast<double>(classes)));
  for_each_vector(0, classes, [&](int64_t i, auto at) FOVEA_INLINE {
    const V p = at.load(dx + i);
    at.store(
        t.soft ? hn::NegMulAdd(soft_weights(at, t, classes, i), factor, p) : hn::Sub(p, everywhere),
        dx + i);
  });
  if (t.soft == nullptr) dx[t.label] -= static_cast<float>(scale * (1 - t.smoothing));
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(row_loss);
HWY_EXPORT(row_gradient);

/// Common to both directions: inputs logits and targets.
class CrossEntropy {
 public:
  CrossEntropy(const Problem& problem, double smoothing)
      : problem_(problem),
        rows_(problem.in[0].dim(0)),
        classes_(problem.in[0].dim(1)),
        smoothing_(smoothing),
        soft_(problem.in[1].dtype == DType::f32) {}

  /// Calls body(row, its logits, its targets), in parallel. Errors: data, for a label outside [0,
  /// K), with the message of the op's reference.
  template <class Body>
  void for_each_row(const Args& args, const Body& body) const {
    if (!soft_) check_labels(args);
    const int64_t grain = std::max<int64_t>(1, 2048 / classes_);
    parallel_for(rows_, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const RowTargets targets{soft_ ? 0 : args.input<int64_t>(1)[row],
                                 soft_ ? args.input<float>(1) + row * classes_ : nullptr,
                                 smoothing_};
        body(row, args.input<float>(0) + row * classes_, targets);
      }
    });
  }

  int64_t rows() const { return rows_; }
  int64_t classes() const { return classes_; }

 private:
  void check_labels(const Args& args) const {
    const int64_t* labels = args.input<int64_t>(1);
    const auto fits = [&](int64_t label) { return label >= 0 && label < classes_; };
    if (!std::all_of(labels, labels + rows_, fits)) fail_as_reference(problem_, args);
  }

  Problem problem_;
  int64_t rows_, classes_;
  double smoothing_;
  bool soft_;
};

}  // namespace

Offer make_softmax_cross_entropy(const Problem& problem) {
  if (auto refusal = unless_f32(problem, 1)) return *refusal;
  const CrossEntropy c(problem, problem.op.get<SoftmaxCrossEntropy>().label_smoothing);
  const auto run = [c](const Args& args) {
    auto* losses = reinterpret_cast<double*>(args.scratch);
    c.for_each_row(args, [&](int64_t row, const float* x, const RowTargets& targets) {
      losses[row] = HWY_DYNAMIC_DISPATCH(row_loss)(x, c.classes(), targets);
    });
    double sum = 0;
    for (int64_t row = 0; row < c.rows(); ++row) sum += losses[row];
    *args.output<float>(0) = static_cast<float>(sum / static_cast<double>(c.rows()));
  };
  return offer(run, static_cast<size_t>(c.rows()) * sizeof(double));
}

Offer make_softmax_cross_entropy_backward(const Problem& problem) {
  if (auto refusal = unless_f32(problem, 1)) return *refusal;
  const CrossEntropy c(problem, problem.op.get<SoftmaxCrossEntropyBackward>().label_smoothing);
  return offer([c](const Args& args) {
    const double scale = double{*args.input<float>(2)} / static_cast<double>(c.rows());
    c.for_each_row(args, [&](int64_t row, const float* x, const RowTargets& targets) {
      HWY_DYNAMIC_DISPATCH(row_gradient)
      (x, c.classes(), targets, scale, args.output<float>(0) + row * c.classes());
    });
  });
}

}  // namespace fovea::simd
#endif
