// Convolutions, their gradients with respect to the data, and matrix products, in f32: each output
// is the sum over taps, then over channels in order, in one chain of fused multiply-adds, so bits
// do not depend on the number of threads. x may have any layout, y all but plain. Error bound: as
// many eps as there are products, of their absolute values.
//
// A tile of the output is some runs of positions by two vectors of channels, all of it in
// registers: two runs of up to seven with AVX-512, else six single positions, from wherever rows
// end; where products are few, tiles of adjacent positions are computed in strips. For each tap
// and channel of x it takes two vectors of weights, which are packed in that order and stay in the
// L2 cache from tile to tile, and one number of x for each position, from L1. Padded or
// unfavourably placed x is copied first, region by region.
#include <hwy/cache_control.h>

#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/direct.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/direct_finish-inl.h"
#include "fovea/kernels/simd/direct_tile-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DIRECT
#define FOVEA_KERNELS_SIMD_DIRECT
namespace fovea::simd::direct {
namespace {

/// The smallest panels of weights that are fetched ahead.
constexpr int64_t fetched_bytes = 32 << 10;

}  // namespace
}  // namespace fovea::simd::direct
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::direct {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

Registers native_registers() { return {lanes, longest, together}; }

/// Computes one panel of a region, some runs of positions at a time.
template <int length, int vectors>
class PanelOfRegion {
 public:
  HWY_INLINE PanelOfRegion(const Convolution& c, const Plan& plan, const Region& region,
                           const Work& work, int64_t panel)
      : c_(c), plan_(plan), region_(region), work_(work), channel_(panel * 2 * lanes) {
    const int64_t channels = std::min<int64_t>(vectors * lanes, c.out - channel_);
    if (work.bias != nullptr) std::copy_n(work.bias + channel_, channels, bias_);
    const int64_t size = vectors * lanes * c.products();
    panel_.weights = work.weights + channel_ * c.products();
    panel_.step = c.stride[1] * work.x.column;

    // Few tiles share what is read of a panel: each fetches its share of the next one.
    const int64_t runs = region.images.size() * region.rows.size() * region.runs.size();
    const int64_t tiles = (runs + together - 1) / together;
    blocks_ = std::ssize(work.taps) * ((work.channels + work.x.together - 1) / work.x.together);
    ahead_.weights = panel_.weights + size;
    if (tiles > 1 && tiles <= 32 && size * 4 > fetched_bytes)
      ahead_.step = (size / (tiles * blocks_) + line - 1) / line * line;

    // Sums of entire vectors go straight to y; but not to positions that another task stores.
    straight_ = finished_ = work.bounds && channels == vectors * lanes;
    for (int i = 0; i < together; ++i) kept_.first[i] = sums_ + i * floats;
    run_ = {.channel_block = c.y.block,
            .column = c.y.column,
            .channels = channels,
            .length = length,
            .stream = work.stream};
    y_.vector = run_.vector();
    if (!straight_) return;
    y_.bounds = *work.bounds, y_.stream = work.stream;
    residual_ = as<float>(work.steps[0].residual);
  }

  HWY_INLINE void compute() {
    const Range& runs = region_.runs;
    const int64_t origin = plan_.first(c_.columns, runs.begin);
    // What comes before and after a tile of few products takes about as long as they do: most of
    // it is done once for a strip of tiles. Rows that are next to each other in x and y are one.
    const int64_t row_step = c_.stride[0] * work_.x.row;
    const bool strips = longest == 1 && c_.products() <= few_products;
    const bool join = strips && runs.size() == c_.columns && row_step == c_.columns * panel_.step &&
                      c_.y.row == c_.columns * c_.y.column;
    const int64_t joined = join ? region_.rows.size() : 1;
    for (int64_t n = region_.images.begin; n < region_.images.end; ++n) {
      for (int64_t row = region_.rows.begin; row < region_.rows.end; row += joined) {
        const float* x = work_.x.data + (n - region_.images.begin) * work_.x.image +
                         (row - region_.rows.begin) * row_step;
        const int64_t offset = c_.offset + n * c_.y.image + row * c_.y.row +
                               channel_ / block * c_.y.block + channel_ % block;
        adjacent_ = pending_ == 0;
        int64_t run = runs.begin;
        const int64_t end = runs.begin + runs.size() * joined;
        if constexpr (longest == 1) {
          const int64_t tiles = strips ? runs.size() * joined / together : 0;
          compute_tiles(x, offset + run * c_.y.column, tiles);
          run += tiles * together;
        }
        for (; run < end; ++run) {
          const int64_t first = length == 1 ? run : plan_.first(c_.columns, run);
          at_[pending_] = x + (first - origin) * panel_.step;
          offsets_[pending_] = offset + first * c_.y.column;
          if constexpr (length > 1) {
            skips_[pending_] = run * length - first;
            if (skips_[pending_] > 0) adjacent_ = false;
            if (skips_[pending_] > 0 && run == runs.begin) finished_ = false;
          }
          if (++pending_ == together) compute_pending();
        }
      }
    }
    if (pending_ > 0) compute_pending();
  }

 private:
  static constexpr int64_t floats = length * vectors * lanes;  // of a run's sums

  /// Tiles of adjacent positions.
  HWY_INLINE void compute_tiles(const float* x, int64_t offset, int64_t tiles) {
    constexpr int64_t most = kept_positions / together;
    for (int64_t n; tiles > 0; tiles -= n) {
      n = straight_ ? tiles : std::min(tiles, most);
      if (straight_) {
        set_target(0, offset);
        compute_strip<vectors>(panel_, x, n, ahead_, y_);
      } else {
        Destination d = run_;
        d.offset = offset, d.length = n * together;
        fetch_run(work_.steps, c_.dtype, d);
        compute_strip<vectors>(panel_, x, n, ahead_, kept_);
        finish(d, sums_);
      }
      x += n * together * panel_.step;
      offset += n * together * c_.y.column;
      ahead_.weights += n * ahead_.step * blocks_;
    }
  }

  HWY_INLINE void compute_pending() {
    if (finished_) {
      for (int i = 0; i < pending_; ++i) set_target(i, offsets_[i]);
      compute_runs(y_);
    } else {
      const int64_t joined = adjacent_ ? pending_ : 1;
      const auto destination = [&](int64_t i) {
        Destination d = run_;
        d.offset = offsets_[i], d.skip = skips_[i], d.length = joined * length;
        return d;
      };
      for (int64_t i = 0; i < pending_; i += joined)
        fetch_run(work_.steps, c_.dtype, destination(i));
      compute_runs(kept_);
      for (int64_t i = 0; i < pending_; i += joined) finish(destination(i), sums_ + i * floats);
    }
    ahead_.weights += ahead_.step * blocks_;
    pending_ = 0;
    finished_ = straight_;
    adjacent_ = true;
  }

  HWY_INLINE void set_target(int i, int64_t offset) {
    y_.first[i] = as<float>(work_.y) + offset;
    if (residual_ != nullptr) y_.residual[i] = residual_ + offset;
  }

  /// compute_tile of the runs that are pending.
  template <int runs = together>
  HWY_INLINE void compute_runs(const Target& to) {
    if constexpr (runs > 1) {
      if (pending_ < runs) return compute_runs<runs - 1>(to);
    }
    compute_tile<length, runs, vectors>(panel_, at_, ahead_, to);
  }

  HWY_INLINE void finish(const Destination& d, float* sums) {
    if (c_.dtype == DType::f32) {
      finish_run<float>(work_.steps, work_.y, d, {sums, vectors});
    } else {
      finish_run<Bf16>(work_.steps, work_.y, d, {sums, vectors});
    }
  }

  const Convolution& c_;
  const Plan& plan_;
  const Region& region_;
  const Work& work_;
  int64_t channel_;  ///< the first
  HWY_ALIGN float bias_[2 * lanes] = {};
  HWY_ALIGN float sums_[kept_positions * vectors * lanes];
  Panel panel_{.x = work_.x, .taps = work_.taps, .channels = work_.channels, .bias = bias_};
  int64_t blocks_;  ///< of channels, over all taps
  Ahead ahead_;
  bool straight_;
  const float* residual_ = nullptr;
  Target kept_{.column = vectors * lanes, .vector = lanes};
  Target y_{.column = c_.y.column};
  Destination run_;
  /// Runs to be computed together.
  int pending_ = 0;
  const float* at_[together];
  int64_t offsets_[together], skips_[together] = {};
  bool finished_;         ///< with sums that go straight to y
  bool adjacent_ = true;  ///< in x and y
};

template <int length>
void compute_panels(const Convolution& c, const Plan& plan, const Region& region,
                    const Work& work) {
  for (int64_t panel = region.panels.begin; panel < region.panels.end; ++panel) {
    if (c.out - panel * 2 * lanes > lanes) {
      PanelOfRegion<length, 2>(c, plan, region, work, panel).compute();
    } else {
      PanelOfRegion<length, 1>(c, plan, region, work, panel).compute();
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

Destination destination_of(const Place& place, const FinishedSums& from) {
  return {.offset = from.offset,
          .channel_block = place.block,
          .column = place.column,
          .channels = from.channels,
          .length = from.positions,
          .stream = from.stream};
}

void fetch_sums(std::span<const Step> steps, const Place& place, const FinishedSums& from) {
  fetch_run(steps, DType::f32, destination_of(place, from));
}

void finish_sums(std::span<const Step> steps, const Place& place, const FinishedSums& from,
                 std::byte* y) {
  Destination d = destination_of(place, from);
  for (int64_t i = 0; i < from.positions; i += kept_positions) {
    d.length = std::min(kept_positions, from.positions - i);
    finish_run<float>(steps, y, d, {from.sums + i * 2 * block, 2 * block / lanes});
    d.offset += kept_positions * place.column;
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
HWY_EXPORT(fetch_sums);
HWY_EXPORT(finish_sums);

}  // namespace

Registers registers() { return HWY_DYNAMIC_DISPATCH(native_registers)(); }

void fetch_positions(std::span<const Step> steps, const Place& place, const FinishedSums& sums) {
  HWY_DYNAMIC_DISPATCH(fetch_sums)(steps, place, sums);
}

void finish_positions(std::span<const Step> steps, const Place& place, const FinishedSums& from,
                      std::byte* y) {
  HWY_DYNAMIC_DISPATCH(finish_sums)(steps, place, from, y);
}

void compute_region(const Convolution& c, const Plan& plan, const Region& region,
                    const Work& work) {
  HWY_DYNAMIC_DISPATCH(compute)(c, plan, region, work);
}

}  // namespace fovea::simd::direct
#endif
