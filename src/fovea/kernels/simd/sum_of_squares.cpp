// Sums of squares, f32 and f64, any layout: squared and added in double by chunks of 65536
// elements, whose sums are added in order, so results do not depend on the number of threads. NaN
// and infinities propagate. Error bound: 2^-40 of the sum.
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/reduce.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/sum_of_squares.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

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
namespace fovea::simd {
namespace {

HWY_EXPORT(squares);

double sum(const float* data, int64_t n) { return HWY_DYNAMIC_DISPATCH(squares)(data, n); }
double sum(const double* data, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += data[i] * data[i];
  return total;
}

constexpr int64_t chunk = 65536;

template <class T>
Offer sum_kernel(int64_t n) {
  const int64_t chunks = (n + chunk - 1) / chunk;
  const auto run = [n, chunks](const Args& args) {
    const T* data = args.input<T>(0);
    auto* sums = reinterpret_cast<double*>(args.scratch);
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        sums[i] = sum(data + i * chunk, std::min(chunk, n - i * chunk));
    });
    double total = 0;
    for (int64_t i = 0; i < chunks; ++i) total += sums[i];
    *args.output<double>(0) = total;
  };
  return offer(run, static_cast<size_t>(chunks) * sizeof(double));
}

}  // namespace

Offer make_sum_of_squares(const Problem& problem) {
  const int64_t n = problem.in[0].numel();
  if (problem.in[0].dtype == DType::f32) return sum_kernel<float>(n);
  if (problem.in[0].dtype == DType::f64) return sum_kernel<double>(n);
  return Refusal{"only f32 and f64"};
}

}  // namespace fovea::simd
#endif
