// The speed of fused multiply-adds and of reading memory, in vectors of the chosen instruction set.
#include "fovea/kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "fovea/core/parallel.h"
#include "fovea/kernels/instruction_set.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/peak.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Twelve chains of multiply-adds hide their latency; they begin with different values, or the
/// compiler would compute them as one. Returns the operations done; `sink` keeps them from being
/// left out.
double multiply_add(int64_t rounds, float* sink) {
  constexpr int chains = 12;
  V v[chains];
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) v[i] = all(static_cast<float>(i));
  const V a = all(0.999f), b = all(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) v[i] = hn::MulAdd(v[i], a, b);
  }
  V sum = v[0];
#pragma GCC unroll 12
  for (int i = 1; i < chains; ++i) sum = hn::Add(sum, v[i]);
  *sink = hn::GetLane(sum);
  return static_cast<double>(rounds) * chains * 2 * static_cast<double>(lanes);
}

float read(const float* data, int64_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (int64_t i = 0; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, data + i));
    s1 = hn::Add(s1, hn::LoadU(d, data + i + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, data + i + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, data + i + 3 * lanes));
  }
  return hn::GetLane(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea {
namespace simd {
namespace {

HWY_EXPORT(multiply_add);
HWY_EXPORT(read);

double add_products(int64_t rounds, float* sink) {
  return HWY_DYNAMIC_DISPATCH(multiply_add)(rounds, sink);
}
float read_all(const float* data, int64_t n) { return HWY_DYNAMIC_DISPATCH(read)(data, n); }

}  // namespace
}  // namespace simd

Peak measure_peak() {
  limit_instruction_set();
  using Clock = std::chrono::steady_clock;
  const auto best_rate = [](int repeats, double work, const auto& run) {
    double best = 0;
    for (int i = 0; i < repeats; ++i) {
      const Clock::time_point start = Clock::now();
      run();
      const std::chrono::duration<double> seconds = Clock::now() - start;
      best = std::max(best, work / seconds.count());
    }
    return best;
  };
  const int64_t team = threads();
  constexpr int64_t rounds = 200'000;
  struct alignas(64) Sink {  // a cache line each
    float value = 0;
    double work = 0;
  };
  std::vector<Sink> sinks(static_cast<size_t>(team));
  const auto each = [&](const std::function<void(int64_t)>& work) {
    parallel_for(team, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work(i);
    });
  };
  const auto compute = [&](int64_t i) {
    Sink& sink = sinks[static_cast<size_t>(i)];
    sink.work = simd::add_products(rounds, &sink.value);
  };
  each(compute);
  Peak peak;
  peak.flops = best_rate(10, static_cast<double>(team) * sinks[0].work, [&] { each(compute); });
  constexpr int64_t count = int64_t{16} << 20;  // 64 MB: more than caches hold
  const std::vector<float> data(static_cast<size_t>(team * count), 1);
  const auto bytes = static_cast<double>(data.size() * sizeof(float));
  peak.bytes = best_rate(5, bytes, [&] {
    each([&](int64_t i) {
      sinks[static_cast<size_t>(i)].value = simd::read_all(data.data() + i * count, count);
    });
  });
  return peak;
}

}  // namespace fovea
#endif
