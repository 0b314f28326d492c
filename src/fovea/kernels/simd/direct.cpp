// Convolutions, their gradients with respect to the data, and matrix products, in f32: each output
// is the sum over taps, then over channels in order, in one chain of fused multiply-adds, so bits
// do not depend on the number of threads. x may have any layout, y all but plain. Error bound: as
// many eps as there are products, of their absolute values.
//
// A tile of the output is some runs of positions by two vectors of channels, all of it in
// registers: two runs of up to seven with AVX-512, else six single positions, from wherever rows
// end. For each tap and channel of x it takes two vectors of weights, which are packed in that
// order and stay in the L2 cache from tile to tile, and one number of x for each position, from L1.
// Padded or unfavourably placed x is copied first, region by region.
#include <hwy/cache_control.h>

#include <limits>

#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/direct.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/direct_finish-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DIRECT
#define FOVEA_KERNELS_SIMD_DIRECT
namespace fovea::simd::direct {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// How far ahead weights are fetched into the L1 cache.
constexpr int64_t fetched_weights = 256;

/// The smallest panels of weights that are fetched ahead.
constexpr int64_t fetched_bytes = 32 << 10;

/// Those of which two tiles of x stay in the L1 cache.
constexpr int64_t few_channels = 128;

/// Weights that are fetched into the L2 cache while others are used: `step` of them for each block
/// of channels of x.
struct Ahead {
  const float* weights = nullptr;
  int64_t step = 0;
};

}  // namespace
}  // namespace fovea::simd::direct
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::direct {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

Registers native_registers() { return {lanes, longest, together}; }

/// How many tiles ahead residuals are fetched: a small tile takes less time than they do to arrive.
constexpr int64_t fetched_tiles = HWY_TARGET <= HWY_AVX3 ? 0 : 2;

/// Floats of a cache line: weights are fetched line by line.
constexpr int64_t line = 16;

/// Adds the products of one channel of one tap to all sums.
template <int length, int runs, int vectors>
HWY_INLINE void add_products(const float* const (&x)[runs], int64_t step, const float* w,
                             V (&sums)[runs * length][vectors]) {
  V right[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) right[j] = hn::Load(F32(), w + j * lanes);
#pragma GCC unroll 6
  for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
    for (int r = 0; r < length; ++r) {
      const V left = all(x[i][r * step]);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j)
        sums[i * length + r][j] = hn::MulAdd(left, right[j], sums[i * length + r][j]);
    }
  }
}

/// Where a tile's sums go, within bounds and after a residual is added, if any: the runs' first
/// ones, and the steps to the next position and vector; `stream`: around the caches.
struct Target {
  float* first[together] = {};
  const float* residual[together] = {};
  int64_t column = 0, vector = 0;
  Bounds bounds = {-infinity, infinity};
  bool stream = false;
};

/// The sums of a tile: `vectors` for each position of the runs that begin at `at`.
template <int length, int runs, int vectors>
HWY_NOINLINE void compute_tile(const View& x, const float* const* at, std::span<const int64_t> taps,
                               int64_t channels, int64_t step, const float* w, const float* bias,
                               Ahead ahead, const Target& to) {
  V sums[runs * length][vectors];
#pragma GCC unroll 14
  for (int r = 0; r < runs * length; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[r][j] = hn::Load(F32(), bias + j * lanes);
  }
  if (to.residual[0] != nullptr) {
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r) {
#pragma GCC unroll 2
        for (int64_t j = 0; j < vectors * lanes; j += line)
          __builtin_prefetch(to.residual[i] + (r + fetched_tiles * together * length) * to.column +
                             j / lanes * to.vector);
      }
    }
  }
  for (const int64_t tap : taps) {
    int64_t offset = tap;
    for (int64_t rest = channels; rest > 0; rest -= x.together, offset += x.block) {
      const float* from[runs];
#pragma GCC unroll 6
      for (int i = 0; i < runs; ++i) {
        from[i] = at[i] + offset;
        const float* next = from[i] + runs * length * step;
        asm("" : "+r"(next));  // else compilers keep an address for each r, on the stack
#pragma GCC unroll 7
        for (int r = 0; r < length; ++r) {  // this block of the next tile, or the next one of this
          if (channels <= few_channels) {
            __builtin_prefetch(next + r * step);
          } else {
            __builtin_prefetch(from[i] + x.block + r * step);
            __builtin_prefetch(next + r * step, 0, 2);
          }
        }
      }
      for (const float* stop = ahead.weights + ahead.step; ahead.weights < stop;
           ahead.weights += 16)
        __builtin_prefetch(ahead.weights, 0, 2);
      const float* end = w + std::min(x.together, rest) * vectors * lanes;
      for (; w < end; w += vectors * lanes) {
#pragma GCC unroll 2
        for (int64_t j = 0; j < vectors * lanes; j += line)
          __builtin_prefetch(w + fetched_weights + j);
        add_products<length, runs, vectors>(from, step, w, sums);
#pragma GCC unroll 6
        for (int i = 0; i < runs; ++i) ++from[i];
      }
    }
  }
  if (to.residual[0] != nullptr) {
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) {
          const float* from = to.residual[i] + r * to.column + j * to.vector;
          sums[i * length + r][j] = hn::Add(sums[i * length + r][j], hn::LoadU(F32(), from));
        }
      }
    }
  }
  const V low = all(to.bounds.low), high = all(to.bounds.high);
  const auto store_all = [&](auto store) FOVEA_INLINE {
    const int64_t column = to.column, vector = to.vector;  // not read again after each store
#pragma GCC unroll 6
    for (int i = 0; i < runs; ++i) {
      float* y = to.first[i];
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r, y += column) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j)
          // NaN stays NaN.
          store(hn::Min(high, hn::Max(low, sums[i * length + r][j])), y + j * vector);
      }
    }
  };
  if (to.stream) {
    store_all([](V v, float* p) FOVEA_INLINE { hn::Stream(v, F32(), p); });
  } else {
    store_all([](V v, float* p) FOVEA_INLINE { hn::StoreU(v, F32(), p); });
  }
}

/// compute_tile of the first `n` runs.
template <int length, int vectors, int runs = together>
HWY_INLINE void compute_runs(int n, const View& x, const float* const* at,
                             std::span<const int64_t> taps, int64_t channels, int64_t step,
                             const float* w, const float* bias, Ahead ahead, const Target& to) {
  if constexpr (runs > 1) {
    if (n < runs)
      return compute_runs<length, vectors, runs - 1>(n, x, at, taps, channels, step, w, bias, ahead,
                                                     to);
  }
  compute_tile<length, runs, vectors>(x, at, taps, channels, step, w, bias, ahead, to);
}

/// One panel of a region, some runs at a time.
template <int length, int vectors>
HWY_INLINE void compute_panel(const Convolution& c, const Plan& plan, const Region& region,
                              const Work& work, int64_t panel) {
  constexpr int64_t floats = length * vectors * lanes;  // of a run's sums
  HWY_ALIGN float bias[2 * lanes] = {};
  HWY_ALIGN float sums[together * floats];
  const int64_t channel = panel * 2 * lanes;
  const int64_t channels = std::min<int64_t>(vectors * lanes, c.out - channel);
  if (work.bias != nullptr) std::copy_n(work.bias + channel, channels, bias);
  const float* w = work.weights + channel * c.products();
  const int64_t step = c.stride[1] * work.x.column;
  const int64_t origin = plan.first(c.columns, region.runs.begin);

  // Few tiles share what is read of a panel: each fetches its share of the next one.
  const int64_t runs = region.images.size() * region.rows.size() * region.runs.size();
  const int64_t tiles = (runs + together - 1) / together, size = vectors * lanes * c.products();
  const int64_t blocks =
      std::ssize(work.taps) * ((work.channels + work.x.together - 1) / work.x.together);
  Ahead ahead{.weights = w + size};
  if (tiles > 1 && tiles <= 32 && size * 4 > fetched_bytes)
    ahead.step = (size / (tiles * blocks) + line - 1) / line * line;

  // Sums of entire vectors go straight to y; but not to positions that another task stores.
  const bool straight = work.bounds && channels == vectors * lanes;
  const float* residual = straight ? as<float>(work.steps[0].residual) : nullptr;
  Target kept{.column = vectors * lanes, .vector = lanes};
  for (int i = 0; i < together; ++i) kept.first[i] = sums + i * floats;
  const Destination run_of_panel{.channel_block = c.y.block,
                                 .column = c.y.column,
                                 .channels = channels,
                                 .length = length,
                                 .stream = work.stream};
  Target y{.column = c.y.column, .vector = run_of_panel.vector()};
  if (straight) y.bounds = *work.bounds, y.stream = work.stream;
  const float* at[together];
  int64_t offsets[together], skips[together] = {};
  int pending = 0;
  bool finished = straight;
  bool adjacent = true;  // what is pending, in x and y
  const auto compute_kept = [&] {
    const int64_t joined = adjacent ? pending : 1;
    const auto destination = [&](int64_t i) {
      Destination d = run_of_panel;
      d.offset = offsets[i], d.skip = skips[i], d.length = joined * length;
      return d;
    };
    for (int64_t i = 0; i < pending; i += joined) fetch_run(work.steps, c.dtype, destination(i));
    compute_runs<length, vectors>(pending, work.x, at, work.taps, work.channels, step, w, bias,
                                  ahead, kept);
    for (int64_t i = 0; i < pending; i += joined) {
      const RunSums own{sums + i * floats, vectors};
      if (c.dtype == DType::f32) {
        finish_run<float>(work.steps, work.y, destination(i), own);
      } else {
        finish_run<Bf16>(work.steps, work.y, destination(i), own);
      }
    }
  };
  const auto compute = [&] {
    if (finished) {
      for (int i = 0; i < pending; ++i) y.first[i] = as<float>(work.y) + offsets[i];
      for (int i = 0; i < pending && residual != nullptr; ++i)
        y.residual[i] = residual + offsets[i];
      compute_runs<length, vectors>(pending, work.x, at, work.taps, work.channels, step, w, bias,
                                    ahead, y);
    } else {
      compute_kept();
    }
    ahead.weights += ahead.step * blocks;
    pending = 0;
    finished = straight;
    adjacent = true;
  };
  for (int64_t n = region.images.begin; n < region.images.end; ++n) {
    for (int64_t row = region.rows.begin; row < region.rows.end; ++row) {
      const float* x = work.x.data + (n - region.images.begin) * work.x.image +
                       (row - region.rows.begin) * c.stride[0] * work.x.row;
      const int64_t row_offset =
          c.offset + n * c.y.image + row * c.y.row + channel / block * c.y.block + channel % block;
      adjacent = pending == 0;
      for (int64_t run = region.runs.begin; run < region.runs.end; ++run) {
        const int64_t first = length == 1 ? run : plan.first(c.columns, run);
        at[pending] = x + (first - origin) * step;
        offsets[pending] = row_offset + first * c.y.column;
        if constexpr (length > 1) {
          skips[pending] = run * length - first;
          if (skips[pending] > 0) adjacent = false;
          if (skips[pending] > 0 && run == region.runs.begin) finished = false;
        }
        if (++pending == together) compute();
      }
    }
  }
  if (pending > 0) compute();
}

template <int length>
void compute_panels(const Convolution& c, const Plan& plan, const Region& region,
                    const Work& work) {
  for (int64_t panel = region.panels.begin; panel < region.panels.end; ++panel) {
    if (c.out - panel * 2 * lanes > lanes) {
      compute_panel<length, 2>(c, plan, region, work, panel);
    } else {
      compute_panel<length, 1>(c, plan, region, work, panel);
    }
  }
}

void compute_length(const Convolution& c, const Plan& plan, const Region& region,
                    const Work& work) {
  switch (plan.run) {
    case 1:
      return compute_panels<1>(c, plan, region, work);
#if HWY_TARGET <= HWY_AVX3
    case 2:
      return compute_panels<2>(c, plan, region, work);
    case 3:
      return compute_panels<3>(c, plan, region, work);
    case 4:
      return compute_panels<4>(c, plan, region, work);
    case 5:
      return compute_panels<5>(c, plan, region, work);
    case 6:
      return compute_panels<6>(c, plan, region, work);
    case 7:
      return compute_panels<7>(c, plan, region, work);
#endif
    default:
      return;
  }
}

void compute(const Convolution& c, const Plan& plan, const Region& region, const Work& work) {
  compute_length(c, plan, region, work);
  if (work.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::direct {
namespace {

HWY_EXPORT(native_registers);
HWY_EXPORT(compute);

}  // namespace

Registers registers() { return HWY_DYNAMIC_DISPATCH(native_registers)(); }

void compute_region(const Convolution& c, const Plan& plan, const Region& region,
                    const Work& work) {
  HWY_DYNAMIC_DISPATCH(compute)(c, plan, region, work);
}

}  // namespace fovea::simd::direct
#endif
