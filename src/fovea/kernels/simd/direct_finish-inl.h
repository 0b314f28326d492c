// What follows the sums of direct.cpp, run by run of positions: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_DIRECT_FINISH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_DIRECT_FINISH_INL_H
#undef FOVEA_KERNELS_SIMD_DIRECT_FINISH_INL_H
#else
#define FOVEA_KERNELS_SIMD_DIRECT_FINISH_INL_H
#endif

#include <span>

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/direct.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::direct {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Where sums become outputs: positions [skip, length) of a run, `channels` from `offset` on;
/// `stream`: around the caches.
struct Destination {
  int64_t offset, channel_block, column, channels;
  int64_t skip, length;
  bool stream;
};

/// Replaces a run's sums by f(access, sum, offset in y), channels beyond the last excepted; `keep`:
/// stores them.
template <int vectors, class F>
HWY_INLINE void replace(const Destination& d, bool keep, float* sums, const F& f) {
  for (int64_t r = d.skip; r < d.length; ++r) {
    for (int64_t j = 0; j * lanes < d.channels; ++j) {
      const int64_t from =
          d.offset + j * lanes / block * d.channel_block + j * lanes % block + r * d.column;
      float* sum = sums + (r * vectors + j) * lanes;
      const V v = hn::Load(F32(), sum);
      const int64_t rest = d.channels - j * lanes;
      const V result =
          rest >= lanes ? f(Whole{}, v, from) : f(Part{static_cast<size_t>(rest)}, v, from);
      if (keep) hn::Store(result, F32(), sum);
    }
  }
}

template <class T, class Access>
HWY_INLINE void put(const Access& access, const Destination& d, V v, T* to) {
  if constexpr (std::is_same_v<T, float> && std::is_same_v<Access, Whole>) {
    if (d.stream) return hn::Stream(v, F32(), to);
  }
  access.store(v, to);
}

/// Applies a step to a run's sums and stores them there; the last one in y instead.
template <class T, int vectors>
HWY_INLINE void finish_step(const Step& step, const Destination& d, float* sums, T* y) {
  const auto first = [&](auto access, V v, int64_t from) FOVEA_INLINE {
    if (step.residual != nullptr) v = hn::Add(v, access.load(as<T>(step.residual) + from));
    if (step.sums != nullptr) put(access, d, v, as<T>(step.sums) + from);
    return v;
  };
  const auto last = [&](auto access, V v, int64_t from) FOVEA_INLINE {
    if (y != nullptr) put(access, d, v, y + from);
    return v;
  };
  if (!step.activation) {
    return replace<vectors>(d, y == nullptr, sums,
                            [&](auto access, V v, int64_t from) FOVEA_INLINE {
                              return last(access, first(access, v, from), from);
                            });
  }
  with_activation(*step.activation, step.alpha, [&](auto activation) {
    if (step.slope_at == nullptr) {
      return replace<vectors>(d, y == nullptr, sums,
                              [&](auto access, V v, int64_t from) FOVEA_INLINE {
                                return last(access, activation.value(first(access, v, from)), from);
                              });
    }
    replace<vectors>(d, y == nullptr, sums, [&](auto access, V v, int64_t from) FOVEA_INLINE {
      const V u = access.load(as<T>(step.slope_at) + from);
      if (step.value != nullptr) put(access, d, activation.value(u), as<T>(step.value) + from);
      return last(access, hn::Mul(v, activation.slope(u)), from);
    });
  });
}

/// Fetches what the steps for a run will read: it is computed meanwhile.
HWY_INLINE void fetch_run(std::span<const Step> steps, DType dtype, const Destination& d) {
  constexpr int64_t line = 64;
  const auto size = static_cast<int64_t>(size_of(dtype));
  for (const Step& step : steps) {
    for (const std::byte* from : {step.residual, step.slope_at}) {
      if (from == nullptr) continue;
      for (int64_t r = d.skip; r < d.length; ++r) {
        for (int64_t j = 0; j < d.channels; j += block) {
          const int64_t at = d.offset + j / block * d.channel_block + r * d.column;
          for (int64_t b = 0; b < block * size; b += line) __builtin_prefetch(from + at * size + b);
        }
      }
    }
  }
}

/// Called, not inlined: it would be compiled for each length of runs.
template <class T, int vectors>
HWY_NOINLINE void finish_run(std::span<const Step> steps, std::byte* y, const Destination& d,
                             float* sums) {
  for (const Step& step : steps)
    finish_step<T, vectors>(step, d, sums, &step == &steps.back() ? as<T>(y) : nullptr);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();
#endif
