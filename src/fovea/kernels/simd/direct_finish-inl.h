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
  int64_t offset = 0, channel_block = 0, column = 0, channels = 0;
  int64_t skip = 0, length = 0;
  bool stream = false;
  /// From a vector of channels to the next one.
  HWY_INLINE int64_t vector() const { return lanes / block * channel_block + lanes % block; }
};

/// The positions of the longest run, and the runs that are computed together: their sums of two
/// vectors each, two vectors of weights and a number of x take 31 of 32 registers, or 15 of 16.
/// Each run also takes a register for its address: six do not exceed them, fourteen would.
constexpr int longest = HWY_TARGET <= HWY_AVX3 ? 7 : 1;
constexpr int together = HWY_TARGET <= HWY_AVX3 ? 2 : 6;

/// Positions whose sums are kept until the steps after them are done: those of one tile, or of
/// eight small ones.
constexpr int64_t kept_positions = longest == 1 ? 8 * together : together * longest;

/// The sums of a run: `vectors` for each position.
struct RunSums {
  float* values;
  int64_t vectors;
  HWY_INLINE float* at(int64_t position, int64_t vector) const {
    return values + (position * vectors + vector) * lanes;
  }
};

/// Calls f(access, sum, offset in y) for each of a run's vectors of sums, the last with a part of
/// them, and lets what it returns take the place of the sums if `keep`.
template <class F>
HWY_INLINE void for_each_sum(const Destination& d, bool keep, const RunSums& sums, const F& f) {
  for (int64_t r = d.skip; r < d.length; ++r) {
    for (int64_t j = 0; j * lanes < d.channels; ++j) {
      const int64_t from = d.offset + r * d.column + j * d.vector();
      float* sum = sums.at(r, j);
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

/// Multiplies n sums by the slopes of an activation at x, and makes x its values, all of them
/// aligned entire vectors.
HWY_NOINLINE void multiply_by_slopes(UnaryKind kind, float alpha, float* x, float* sums,
                                     int64_t n) {
  with_activation(kind, alpha, [&](auto activation) {
    for (int64_t i = 0; i < n; i += lanes) {
      const V u = hn::Load(F32(), x + i);
      hn::Store(hn::Mul(hn::Load(F32(), sums + i), activation.slope(u)), F32(), sums + i);
      hn::Store(activation.value(u), F32(), x + i);
    }
  });
}

/// Applies a step to a run's sums and stores them there; the last one in y instead.
template <class T>
HWY_INLINE void finish_step(const Step& step, const Destination& d, const RunSums& sums, T* y) {
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
    return for_each_sum(d, y == nullptr, sums, [&](auto access, V v, int64_t from) FOVEA_INLINE {
      return last(access, first(access, v, from), from);
    });
  }
  // ReLU at once; what takes longer than to go through memory once more, in between.
  const bool at_once = step.activation == UnaryKind::relu;
  const int64_t skipped = d.skip * sums.vectors * lanes,
                n = (d.length - d.skip) * sums.vectors * lanes;
  if (step.slope_at == nullptr) {
    if (at_once) {
      return for_each_sum(d, y == nullptr, sums, [&](auto access, V v, int64_t from) FOVEA_INLINE {
        return last(access, relu(first(access, v, from)), from);
      });
    }
    if (step.residual != nullptr || step.sums != nullptr) for_each_sum(d, true, sums, first);
    activate(*step.activation, step.alpha, sums.values + skipped, n);
  } else {
    const auto input = [&](auto access, V, int64_t from)
                           FOVEA_INLINE { return access.load(as<T>(step.slope_at) + from); };
    const auto value = [&](auto access, V v, int64_t from) FOVEA_INLINE {
      put(access, d, v, as<T>(step.value) + from);
      return v;
    };
    if (at_once) {
      return for_each_sum(d, y == nullptr, sums, [&](auto access, V v, int64_t from) FOVEA_INLINE {
        const V u = input(access, v, from);
        if (step.value != nullptr) value(access, relu(u), from);
        return last(access, hn::Mul(v, Relu{}.slope(u)), from);
      });
    }
    HWY_ALIGN float x[kept_positions * 2 * lanes] = {};
    const RunSums inputs{x, sums.vectors};
    for_each_sum(d, true, inputs, input);
    multiply_by_slopes(*step.activation, step.alpha, x + skipped, sums.values + skipped, n);
    if (step.value != nullptr) for_each_sum(d, false, inputs, value);
  }
  if (y != nullptr) for_each_sum(d, false, sums, last);
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
template <class T>
HWY_NOINLINE void finish_run(std::span<const Step> steps, std::byte* y, const Destination& d,
                             const RunSums& sums) {
  for (const Step& step : steps)
    finish_step(step, d, sums, &step == &steps.back() ? as<T>(y) : nullptr);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();
#endif
