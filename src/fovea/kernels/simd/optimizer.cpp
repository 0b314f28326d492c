#include "fovea/kernels/simd/optimizer.h"

#include <cmath>
#include <vector>

#include "fovea/core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/optimizer.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

V all(double x) { return hn::Set(F32(), static_cast<float>(x)); }

void sgd(float* p, const float* grad, float* b, int64_t begin, int64_t end, const SgdStep& s) {
  const V lr = all(-s.lr), momentum = all(s.momentum), decay = all(s.weight_decay),
          scale = all(s.grad_scale);
  for_each_vector(begin, end, [&](int64_t i, auto where) FOVEA_INLINE {
    const V x = where.load(p + i);
    V step = hn::MulAdd(decay, x, hn::Mul(scale, where.load(grad + i)));
    if (b != nullptr) {
      const V moved = hn::MulAdd(momentum, where.load(b + i), step);
      where.store(moved, b + i);
      step = s.nesterov ? hn::MulAdd(momentum, moved, step) : moved;
    }
    where.store(hn::MulAdd(lr, step, x), p + i);
  });
}

void adamw(float* p, const float* grad, float* m, float* v, int64_t begin, int64_t end,
           const AdamWStep& s) {
  const V keep = all(1 - s.lr * s.weight_decay), scale = all(s.grad_scale), eps = all(s.eps);
  const V beta1 = all(s.beta1), rest1 = all(1 - s.beta1), beta2 = all(s.beta2),
          rest2 = all(1 - s.beta2);
  const auto t = static_cast<double>(s.step);
  const V rate = all(-s.lr / (1 - std::pow(s.beta1, t)));
  const V root = all(1 / std::sqrt(1 - std::pow(s.beta2, t)));
  for_each_vector(begin, end, [&](int64_t i, auto where) FOVEA_INLINE {
    const V g = hn::Mul(scale, where.load(grad + i));
    const V first = hn::MulAdd(beta1, where.load(m + i), hn::Mul(rest1, g));
    const V second = hn::MulAdd(beta2, where.load(v + i), hn::Mul(hn::Mul(rest2, g), g));
    where.store(first, m + i);
    where.store(second, v + i);
    const V step = hn::Div(first, hn::MulAdd(hn::Sqrt(second), root, eps));
    where.store(hn::MulAdd(rate, step, hn::Mul(keep, where.load(p + i))), p + i);
  });
}

double squares(const float* data, int64_t n) {
  V sum = hn::Zero(F32());
  for_each_vector(0, n, [&](int64_t i, auto where) FOVEA_INLINE {
    const V x = where.load(data + i);  // what is not there reads as 0
    sum = hn::MulAdd(x, x, sum);
  });
  return static_cast<double>(hn::GetLane(hn::SumOfLanes(F32(), sum)));
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(sgd);
HWY_EXPORT(adamw);
HWY_EXPORT(squares);

constexpr int64_t grain = 16384, chunk = 4096;

/// The sum over chunks of `partial`, which are made on all threads and added in order.
template <class T, class Partial>
double sum_chunks(const T* data, int64_t n, const Partial& partial) {
  std::vector<double> sums(static_cast<size_t>((n + chunk - 1) / chunk));
  parallel_for(static_cast<int64_t>(sums.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      sums[static_cast<size_t>(i)] = partial(data + i * chunk, std::min(chunk, n - i * chunk));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace

void sgd_update(float* param, const float* grad, float* buffer, int64_t n, const SgdStep& step) {
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(sgd)(param, grad, buffer, begin, end, step);
  });
}

void sgd_update(double* p, const double* grad, double* b, int64_t n, const SgdStep& s) {
  for (int64_t i = 0; i < n; ++i) {
    double step = s.grad_scale * grad[i] + s.weight_decay * p[i];
    if (b != nullptr) {
      b[i] = s.momentum * b[i] + step;
      step = s.nesterov ? step + s.momentum * b[i] : b[i];
    }
    p[i] -= s.lr * step;
  }
}

void adamw_update(float* param, const float* grad, float* m, float* v, int64_t n,
                  const AdamWStep& step) {
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(adamw)(param, grad, m, v, begin, end, step);
  });
}

void adamw_update(double* p, const double* grad, double* m, double* v, int64_t n,
                  const AdamWStep& s) {
  const auto t = static_cast<double>(s.step);
  const double rate = s.lr / (1 - std::pow(s.beta1, t)), root = std::sqrt(1 - std::pow(s.beta2, t));
  for (int64_t i = 0; i < n; ++i) {
    const double g = s.grad_scale * grad[i];
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    p[i] = p[i] * (1 - s.lr * s.weight_decay) - rate * m[i] / (std::sqrt(v[i]) / root + s.eps);
  }
}

double sum_of_squares(const float* data, int64_t n) {
  return sum_chunks(data, n,
                    [](const float* p, int64_t k) { return HWY_DYNAMIC_DISPATCH(squares)(p, k); });
}

double sum_of_squares(const double* data, int64_t n) {
  return sum_chunks(data, n, [](const double* p, int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += p[i] * p[i];
    return sum;
  });
}

}  // namespace fovea::simd
#endif
