// Softmax, its logarithm and their gradients along axis 1, f32. Vectors lie
// along the axis if it is the innermost, else across it. Each line is summed in
// a fixed order, so results do not depend on the number of threads. Error bound:
// 32 eps, for softmax of its value (logits at most 30 below the largest), for
// log-softmax of max(1, |value|), for gradients of max(1, the largest |dy|).
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/loss.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/softmax.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// The sum of f(k) over k from 0 to `size`, 32 at a time.
template <class F>
HWY_INLINE V column_sum(int64_t size, const F& f) {
  V total = all(0);
  for (int64_t begin = 0; begin < size; begin += 32) {
    V sum = all(0);
    for (int64_t k = begin; k < std::min(size, begin + 32); ++k) sum = hn::Add(sum, f(k));
    total = hn::Add(total, sum);
  }
  return total;
}

/// `count` adjacent lines with elements `stride` apart; or, with stride 1, one line.
void softmax_lines(const float* x, int64_t size, int64_t stride, int64_t count, bool log_of,
                   float* y) {
  if (stride == 1) return softmax_row(x, size, log_of, 1, y);
  for_each_vector(0, count, [&](int64_t i, auto at) FOVEA_INLINE {
    V top = at.load(x + i);
    for (int64_t k = 1; k < size; ++k) top = hn::Max(top, at.load(x + k * stride + i));
    const V sum = column_sum(size, [&](int64_t k) FOVEA_INLINE {
      const V e = exp(hn::Sub(at.load(x + k * stride + i), top));
      if (!log_of) at.store(e, y + k * stride + i);
      return e;
    });
    const V scale = hn::Div(all(1), sum), log_sum = log(sum);
    for (int64_t k = 0; k < size; ++k) {
      const int64_t p = k * stride + i;
      at.store(
          log_of ? hn::Sub(hn::Sub(at.load(x + p), top), log_sum) : hn::Mul(at.load(y + p), scale),
          y + p);
    }
  });
}

/// The gradient of the same lines.
void softmax_lines_backward(const float* y, const float* dy, int64_t size, int64_t stride,
                            int64_t count, bool log_of, float* dx) {
  const auto term = [&](int64_t i, auto at) FOVEA_INLINE {
    return log_of ? at.load(dy + i) : hn::Mul(at.load(dy + i), at.load(y + i));
  };
  const auto finish = [&](int64_t i, auto at, V sum) FOVEA_INLINE {
    const V p = at.load(y + i), d = at.load(dy + i);
    at.store(log_of ? hn::NegMulAdd(exp(p), sum, d) : hn::Mul(p, hn::Sub(d, sum)), dx + i);
  };
  if (stride == 1) {
    const V sum = all(static_cast<float>(row_sum(size, term)));
    for_each_vector(0, size, [&](int64_t i, auto at) FOVEA_INLINE { finish(i, at, sum); });
    return;
  }
  for_each_vector(0, count, [&](int64_t i, auto at) FOVEA_INLINE {
    const V sum =
        column_sum(size, [&](int64_t k) FOVEA_INLINE { return term(k * stride + i, at); });
    for (int64_t k = 0; k < size; ++k) finish(k * stride + i, at, sum);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(softmax_lines);
HWY_EXPORT(softmax_lines_backward);

/// The lines along axis 1.
class Lines {
 public:
  explicit Lines(const Shape& shape)
      : outer_(shape[0]), size_(shape[1]), stride_(shape.slice(2).numel()) {}

  int64_t size() const { return size_; }
  int64_t stride() const { return stride_; }

  /// Calls body(offset of the first element, lines) for adjacent lines, in parallel.
  template <class Body>
  void for_each(const Body& body) const {
    constexpr int64_t together = 256;
    if (size_ == 0) return;
    const int64_t blocks = (stride_ + together - 1) / together;
    const int64_t grain = 2048 / (size_ * std::min(stride_, together)) + 1;
    parallel_for(outer_ * blocks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % blocks * together;
        body(i / blocks * size_ * stride_ + first, std::min(together, stride_ - first));
      }
    });
  }

 private:
  int64_t outer_, size_, stride_;
};

}  // namespace

Offer make_softmax(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Lines lines(problem.in[0].shape);
  return offer([lines, log = problem.op.get<Softmax>().log](const Args& args) {
    lines.for_each([&](int64_t first, int64_t count) {
      HWY_DYNAMIC_DISPATCH(softmax_lines)
      (args.input<float>(0) + first, lines.size(), lines.stride(), count, log,
       args.output<float>(0) + first);
    });
  });
}

Offer make_softmax_backward(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Lines lines(problem.in[0].shape);
  return offer([lines, log = problem.op.get<SoftmaxBackward>().log](const Args& args) {
    lines.for_each([&](int64_t first, int64_t count) {
      HWY_DYNAMIC_DISPATCH(softmax_lines_backward)
      (args.input<float>(0) + first, args.input<float>(1) + first, lines.size(), lines.stride(),
       count, log, args.output<float>(0) + first);
    });
  });
}

}  // namespace fovea::simd
#endif
