#include "fovea/kernels/simd/optimizer.h"

#include <cmath>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/optimizer.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_OPTIMIZER
#define FOVEA_KERNELS_SIMD_OPTIMIZER
namespace fovea::simd {
namespace {

/// What is the same for every element of an AdamW step.
struct AdamWFactors {
  explicit AdamWFactors(const AdamWStep& s)
      : decay(1 - s.lr * s.weight_decay),
        rate(s.lr / (1 - std::pow(s.beta1, static_cast<double>(s.step)))),
        root(std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step)))) {}
  double decay, rate, root;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

HWY_INLINE V constant(double value) { return all(static_cast<float>(value)); }

void sgd(float* param, const float* grad, float* buffer, const SgdStep& s, int64_t begin,
         int64_t end) {
  const V lr = constant(s.lr), momentum = constant(s.momentum), decay = constant(s.weight_decay),
          damp = constant(1 - s.dampening), scale = constant(s.grad_scale);
  for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
    const V p = at.load(param + i);
    V g = hn::MulAdd(p, decay, hn::Mul(scale, at.load(grad + i)));
    if (s.momentum != 0) {
      const V b = s.first_step ? g : hn::MulAdd(momentum, at.load(buffer + i), hn::Mul(damp, g));
      at.store(b, buffer + i);
      g = s.nesterov ? hn::MulAdd(momentum, b, g) : b;
    }
    at.store(hn::NegMulAdd(lr, g, p), param + i);
  });
}

void adamw(float* param, const float* grad, float* m, float* v, const AdamWStep& s, int64_t begin,
           int64_t end) {
  const AdamWFactors f(s);
  const V beta1 = constant(s.beta1), beta2 = constant(s.beta2), new1 = constant(1 - s.beta1),
          new2 = constant(1 - s.beta2), eps = constant(s.eps), scale = constant(s.grad_scale),
          decay = constant(f.decay), rate = constant(f.rate), root = constant(f.root);
  for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
    const V g = hn::Mul(scale, at.load(grad + i));
    const V first = hn::MulAdd(beta1, at.load(m + i), hn::Mul(new1, g));
    const V second = hn::MulAdd(beta2, at.load(v + i), hn::Mul(new2, hn::Mul(g, g)));
    const V denominator = hn::Add(hn::Div(hn::Sqrt(second), root), eps);
    const V p = hn::Mul(decay, at.load(param + i));
    at.store(first, m + i);
    at.store(second, v + i);
    at.store(hn::NegMulAdd(rate, hn::Div(first, denominator), p), param + i);
  });
}

double squares(const float* data, int64_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> half;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  auto even = hn::Zero(d), odd = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * step <= n; i += 2 * step) {
    const auto a = hn::PromoteTo(d, hn::LoadU(half, data + i));
    const auto b = hn::PromoteTo(d, hn::LoadU(half, data + i + step));
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < n; ++i) total += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  return total;
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea {
namespace simd {
namespace {

HWY_EXPORT(sgd);
HWY_EXPORT(adamw);
HWY_EXPORT(squares);

/// Adds up chunk_sum(data + i, count) over chunks of 65536 elements, in order.
template <class T, class ChunkSum>
double sum_chunks(const T* data, int64_t n, const ChunkSum& chunk_sum) {
  constexpr int64_t chunk = 65536;
  std::vector<double> sums(static_cast<size_t>((n + chunk - 1) / chunk));
  parallel_for(static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[static_cast<size_t>(i)] = chunk_sum(data + i * chunk, std::min(chunk, n - i * chunk));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace
}  // namespace simd

void sgd_update(float* param, const float* grad, float* buffer, int64_t n, const SgdStep& step) {
  parallel_for(n, simd::elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(simd::sgd)(param, grad, buffer, step, begin, end);
  });
}

void sgd_update(double* param, const double* grad, double* buffer, int64_t n, const SgdStep& s) {
  for (int64_t i = 0; i < n; ++i) {
    double g = s.grad_scale * grad[i] + s.weight_decay * param[i];
    if (s.momentum != 0) {
      buffer[i] = s.first_step ? g : s.momentum * buffer[i] + (1 - s.dampening) * g;
      g = s.nesterov ? g + s.momentum * buffer[i] : buffer[i];
    }
    param[i] -= s.lr * g;
  }
}

void adamw_update(float* param, const float* grad, float* m, float* v, int64_t n,
                  const AdamWStep& step) {
  parallel_for(n, simd::elementwise_grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(simd::adamw)(param, grad, m, v, step, begin, end);
  });
}

void adamw_update(double* param, const double* grad, double* m, double* v, int64_t n,
                  const AdamWStep& s) {
  const simd::AdamWFactors f(s);
  for (int64_t i = 0; i < n; ++i) {
    const double g = s.grad_scale * grad[i];
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    param[i] = f.decay * param[i] - f.rate * m[i] / (std::sqrt(v[i]) / f.root + s.eps);
  }
}

double sum_of_squares(const float* data, int64_t n) {
  return simd::sum_chunks(data, n, [](const float* x, int64_t count) {
    return HWY_DYNAMIC_DISPATCH(simd::squares)(x, count);
  });
}

double sum_of_squares(const double* data, int64_t n) {
  return simd::sum_chunks(data, n, [](const double* x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += x[i] * x[i];
    return sum;
  });
}

}  // namespace fovea
#endif
