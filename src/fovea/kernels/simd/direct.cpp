// Convolutions without groups, their gradients with respect to the data, and matrix products, in
// f32: each output is the sum over taps, then over channels in order, in one chain of fused
// multiply-adds, so bits do not depend on the number of threads. x may have any layout, y all but
// plain. Error bound: as many eps as there are products, of their absolute values.
//
// A tile of the output is up to two runs of positions by two vectors of channels, all of it in
// registers. For each tap and channel of x it takes two vectors of weights, which are packed in
// that order and stay in the L2 cache from tile to tile, and one number of x for each position,
// from L1. Padded or unfavourably placed x is copied first, region by region.
#include <fmt/format.h>
#include <hwy/cache_control.h>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/transpose.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/direct.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/direct_finish-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DIRECT
#define FOVEA_KERNELS_SIMD_DIRECT
namespace fovea::simd::direct {
namespace {

/// How far ahead weights are fetched into the L1 cache.
constexpr int64_t fetched_weights = 256;

/// The smallest panels of weights that are fetched ahead.
constexpr int64_t fetched_bytes = 32 << 10;

/// Those of which two tiles of x stay in the L1 cache.
constexpr int64_t few_channels = 128;

/// What one task reads and writes.
struct Work {
  View x;
  std::vector<int64_t> taps;  ///< their offsets in x
  int64_t channels = 0;       ///< of each
  const float* weights = nullptr;
  const float* bias = nullptr;
  std::vector<Step> steps = {};  ///< at least one
  std::byte* y = nullptr;
  bool plain = false;   ///< nothing follows the sums, and no position is computed twice
  bool stream = false;  ///< y is written around the caches
};

struct Registers {
  int64_t lanes, longest;
};

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

/// Two runs of two vectors, two vectors of weights and a number of x: 31 of 32 registers, or 15 of
/// 16.
constexpr int longest = HWY_TARGET <= HWY_AVX3 ? 7 : 3;

Registers registers() { return {lanes, longest}; }

/// Adds the products of one channel of one tap to all sums.
template <int length, int runs, int vectors>
HWY_INLINE void add_products(const float* const (&x)[runs], int64_t step, const float* w,
                             V (&sums)[runs * length][vectors]) {
  V right[vectors];
#pragma GCC unroll 2
  for (int j = 0; j < vectors; ++j) right[j] = hn::Load(F32(), w + j * lanes);
#pragma GCC unroll 2
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

/// Where a tile's sums go: the runs' first ones, and the steps to the next position and vector;
/// `stream`: around the caches.
struct Target {
  float* first[2];
  int64_t column, vector;
  bool stream = false;
};

/// The sums of a tile: `vectors` for each position of the runs that begin at `at`.
template <int length, int runs, int vectors>
HWY_NOINLINE void compute_tile(const View& x, const float* const (&at)[runs],
                               std::span<const int64_t> taps, int64_t channels, int64_t step,
                               const float* w, const float* bias, Ahead ahead, const Target& to) {
  V sums[runs * length][vectors];
#pragma GCC unroll 14
  for (int r = 0; r < runs * length; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[r][j] = hn::Load(F32(), bias + j * lanes);
  }
  for (const int64_t tap : taps) {
    const float* first[runs];
#pragma GCC unroll 2
    for (int i = 0; i < runs; ++i) first[i] = at[i] + tap;
    for (int64_t rest = channels; rest > 0; rest -= x.together) {
      const float* from[runs];
#pragma GCC unroll 2
      for (int i = 0; i < runs; ++i) {
        from[i] = first[i];
        first[i] += x.block;
#pragma GCC unroll 7
        for (int r = 0; r < length; ++r) {  // this block of the next tile, or the next one of this
          const float* next = from[i] + (runs * length + r) * step;
          if (channels <= few_channels) {
            __builtin_prefetch(next);
          } else {
            __builtin_prefetch(from[i] + r * step + x.block);
            __builtin_prefetch(next, 0, 2);
          }
        }
      }
      for (const float* stop = ahead.weights + ahead.step; ahead.weights < stop;
           ahead.weights += 16)
        __builtin_prefetch(ahead.weights, 0, 2);
      const float* end = w + std::min(x.together, rest) * vectors * lanes;
      for (; w < end; w += vectors * lanes) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) __builtin_prefetch(w + fetched_weights + j * lanes);
        add_products<length, runs, vectors>(from, step, w, sums);
#pragma GCC unroll 2
        for (int i = 0; i < runs; ++i) ++from[i];
      }
    }
  }
  const auto store_all = [&](auto store) FOVEA_INLINE {
#pragma GCC unroll 2
    for (int i = 0; i < runs; ++i) {
#pragma GCC unroll 7
      for (int r = 0; r < length; ++r) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j)
          store(sums[i * length + r][j], to.first[i] + r * to.column + j * to.vector);
      }
    }
  };
  if (to.stream) {
    store_all([](V v, float* p) FOVEA_INLINE { hn::Stream(v, F32(), p); });
  } else {
    store_all([](V v, float* p) FOVEA_INLINE { hn::StoreU(v, F32(), p); });
  }
}

/// One panel of a region, pairs of runs at a time.
template <int length, int vectors>
HWY_INLINE void compute_panel(const Convolution& c, const Plan& plan, const Region& region,
                              const Work& work, int64_t panel) {
  HWY_ALIGN float bias[2 * lanes] = {};
  HWY_ALIGN float sums[2 * length * vectors * lanes];
  const int64_t channel = panel * 2 * lanes;
  const int64_t channels = std::min<int64_t>(vectors * lanes, c.out - channel);
  if (work.bias != nullptr) std::copy_n(work.bias + channel, channels, bias);
  const float* w = work.weights + channel * c.products();
  const int64_t step = c.stride[1] * work.x.column;
  const int64_t origin = plan.first(c.columns, region.runs.begin);

  // Few tiles share what is read of a panel: each fetches its share of the next one.
  const int64_t runs = region.images.size() * region.rows.size() * region.runs.size();
  const int64_t tiles = (runs + 1) / 2, size = vectors * lanes * c.products();
  const int64_t blocks =
      std::ssize(work.taps) * ((work.channels + work.x.together - 1) / work.x.together);
  Ahead ahead{.weights = w + size};
  if (tiles > 1 && tiles <= 32 && size * 4 > fetched_bytes)
    ahead.step = (size / (tiles * blocks) + 15) / 16 * 16;

  // Without an epilogue, sums of entire vectors go straight to y.
  const bool finished = work.plain && channels == vectors * lanes;
  Target target{
      .first = {sums, sums + length * vectors * lanes}, .column = vectors * lanes, .vector = lanes};
  if (finished) {
    target.column = c.y.column, target.stream = work.stream;
    target.vector = lanes / block * c.y.block + lanes % block;
  }
  const float* at[2];
  Destination to[2];
  int pending = 0;
  const auto compute = [&] {
    for (int i = 0; i < pending && !finished; ++i) fetch_run(work.steps, c.dtype, to[i]);
    if (finished) {
      for (int i = 0; i < pending; ++i) target.first[i] = as<float>(work.y) + to[i].offset;
    }
    if (pending == 2) {
      compute_tile<length, 2, vectors>(work.x, at, work.taps, work.channels, step, w, bias, ahead,
                                       target);
    } else {
      const float* const first[1] = {at[0]};
      compute_tile<length, 1, vectors>(work.x, first, work.taps, work.channels, step, w, bias,
                                       ahead, target);
    }
    ahead.weights += ahead.step * blocks;
    for (int i = 0; i < pending && !finished; ++i) {
      float* own = sums + i * length * vectors * lanes;
      if (c.dtype == DType::f32) {
        finish_run<float, vectors>(work.steps, work.y, to[i], own);
      } else {
        finish_run<Bf16, vectors>(work.steps, work.y, to[i], own);
      }
    }
    pending = 0;
  };
  for (int64_t n = region.images.begin; n < region.images.end; ++n) {
    for (int64_t row = region.rows.begin; row < region.rows.end; ++row) {
      const float* x = work.x.data + (n - region.images.begin) * work.x.image +
                       (row - region.rows.begin) * c.stride[0] * work.x.row;
      const int64_t y =
          c.offset + n * c.y.image + row * c.y.row + channel / block * c.y.block + channel % block;
      for (int64_t run = region.runs.begin; run < region.runs.end; ++run) {
        const int64_t first = plan.first(c.columns, run);
        at[pending] = x + (first - origin) * step;
        to[pending] = {.offset = y + first * c.y.column,
                       .channel_block = c.y.block,
                       .column = c.y.column,
                       .channels = channels,
                       .skip = run * length - first,
                       .length = length,
                       .stream = work.stream};
        if (++pending == 2) compute();
      }
    }
  }
  if (pending > 0) compute();
}

template <int length>
void compute_runs(const Convolution& c, const Plan& plan, const Region& region, const Work& work) {
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
      return compute_runs<1>(c, plan, region, work);
    case 2:
      return compute_runs<2>(c, plan, region, work);
    case 3:
      return compute_runs<3>(c, plan, region, work);
#if HWY_TARGET <= HWY_AVX3
    case 4:
      return compute_runs<4>(c, plan, region, work);
    case 5:
      return compute_runs<5>(c, plan, region, work);
    case 6:
      return compute_runs<6>(c, plan, region, work);
    case 7:
      return compute_runs<7>(c, plan, region, work);
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

HWY_EXPORT(registers);
HWY_EXPORT(compute);

/// Calls f with a value of the type of x and y.
template <class F>
void with_element(const Convolution& c, const F& f) {
  c.dtype == DType::bf16 ? f(Bf16()) : f(float());
}

/// Copies the window of one region into blocks of channels, or a single smaller one; positions
/// outside x are 0.
template <class T>
View copy(const Convolution& c, const Window& window, Range images, const T* x, float* to) {
  const int64_t together = std::min(block, c.in), blocks = (c.in + block - 1) / block;
  View v{.data = to, .together = together};
  v.column = together, v.row = v.column * window.columns.size();
  v.block = v.row * window.rows.size(), v.image = v.block * blocks;
  const Range inside{std::clamp<int64_t>(window.columns.begin, 0, c.width),
                     std::clamp<int64_t>(window.columns.end, 0, c.width)};
  for (int64_t i = 0; i < images.size() * blocks * window.rows.size(); ++i, to += v.row) {
    const int64_t y = window.rows.begin + i % window.rows.size();
    if (y < 0 || y >= c.height || inside.size() <= 0) {
      std::fill_n(to, v.row, 0.f);
      continue;
    }
    const int64_t b = i / window.rows.size() % blocks;
    const int64_t image = images.begin + i / window.rows.size() / blocks;
    const T* from = x + image * c.x.image + b * c.x.block + y * c.x.row;
    float* first = to + (inside.begin - window.columns.begin) * together;
    float* end = first + inside.size() * together;
    std::fill(to, first, 0.f);
    std::fill(end, to + v.row, 0.f);
    from += inside.begin * c.x.column;
    const int64_t channels = std::min(block, c.in - b * block);
    if (c.x.column == together) {
      std::copy(from, from + (end - first), first);
    } else if (c.x.channel == 1) {
      for (; first < end; first += together, from += c.x.column)
        std::copy(from, from + channels, first);
    } else {
      for (int64_t k = 0; k < channels; ++k, from += c.x.channel) {
        for (int64_t column = 0; column < inside.size(); ++column)
          first[column * together + k] = static_cast<float>(from[column * c.x.column]);
      }
    }
  }
  return v;
}

/// Copies the weights of a panel: by tap and input channel, those of the panel's output channels.
/// Reads are along the axis of the smaller step.
template <class T>
void pack_panel(const Convolution& c, const T* w, int64_t first, int64_t width, float* to) {
  const Weights& step = c.weights;
  const int64_t channels = std::min(width, c.out - first);
  w += step.first + first * step.out;
  if constexpr (std::is_same_v<T, float>) {
    const bool rows_of_outputs = step.out == 1, rows_of_inputs = step.in == 1;
    if (channels == width && c.taps() == 1 && (rows_of_outputs || rows_of_inputs)) {
      if (rows_of_inputs) return transpose(w, step.out, to, width, width, c.in);
      for (int64_t k = 0; k < c.in; ++k) std::copy_n(w + k * step.in, width, to + k * width);
      return;
    }
  }
  for (int64_t i = 0; i < c.in; i += block) {
    const int64_t end = std::min(c.in, i + block);
    for (int64_t tap = 0; tap < c.taps(); ++tap) {
      const T* from = w + tap / c.kernel[1] * step.tap[0] + tap % c.kernel[1] * step.tap[1];
      float* rows = to + tap * c.in * width;
      const auto copy = [&](int64_t o, int64_t k) {
        rows[k * width + o] = static_cast<float>(from[o * step.out + k * step.in]);
      };
      if (step.out < step.in) {
        for (int64_t k = i; k < end; ++k)
          for (int64_t o = 0; o < channels; ++o) copy(o, k);
      } else {
        for (int64_t o = 0; o < channels; ++o)
          for (int64_t k = i; k < end; ++k) copy(o, k);
      }
      for (int64_t k = i; k < end; ++k)
        std::fill(rows + k * width + channels, rows + (k + 1) * width, 0.f);
    }
  }
}

class DirectKernel final : public Kernel {
 public:
  DirectKernel(Pass pass, int threads) : pass_(std::move(pass)) {
    const Registers r = HWY_DYNAMIC_DISPATCH(registers)();
    for (const Convolution& c : pass_.parts) {
      Part part{.c = c, .plan = make_plan(c, r.lanes, r.longest, threads)};
      part.weights = floats_, part.tasks = {tasks_, tasks_ + part.plan.tasks()};
      const int64_t vectors = (c.out + r.lanes - 1) / r.lanes;
      floats_ += vectors * r.lanes * c.products();
      tasks_ = part.tasks.end;
      copy_bytes_ = std::max(
          copy_bytes_, align_up(static_cast<size_t>(copy_floats(c, part.plan)) * sizeof(float)));
      parts_.push_back(part);
    }
    slots_ = static_cast<size_t>(std::min<int64_t>(tasks_, threads));
  }

  size_t scratch_bytes() const override { return slots_ * copy_bytes_; }
  std::vector<int> packed_inputs() const override { return {static_cast<int>(pass_.weights)}; }
  size_t packed_bytes() const override { return static_cast<size_t>(floats_) * sizeof(float); }
  std::string packed_form() const override {
    std::string form = "direct";
    for (const auto& [c, plan, weights, tasks] : parts_) {
      const Weights& w = c.weights;
      form += fmt::format(" {} {} {}x{} {}+{},{},{},{} {}", c.out, c.in, c.kernel[0], c.kernel[1],
                          w.first, w.out, w.in, w.tap[0], w.tap[1], plan.lanes);
    }
    return form;
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    const std::byte* w = in[pass_.weights];
    for (const auto& [c, plan, weights, tasks] : parts_) {
      float* to = reinterpret_cast<float*>(packed) + weights;
      parallel_chunks(plan.panels, [&, &c = c, &plan = plan](int64_t panel, int) {
        const int64_t first = panel * 2 * plan.lanes;
        const int64_t width = c.out - first > plan.lanes ? 2 * plan.lanes : plan.lanes;
        with_element(c, [&]<class T>(T) {
          pack_panel(c, reinterpret_cast<const T*>(w), first, width, to + first * c.products());
        });
      });
    }
  }

  void run(const Args& args) const override {
    Work work{.x = {}, .taps = {}};
    work.bias = pass_.bias ? args.input<float>(2) : nullptr;
    work.steps = steps(args);
    work.y = args.out[0];
    const bool aligned = std::ranges::all_of(
        args.out, [](const std::byte* out) { return reinterpret_cast<uintptr_t>(out) % 64 == 0; });
    parallel_chunks(tasks_, [&](int64_t task, int slot) {
      const auto part =
          std::ranges::find_if(parts_, [&](const Part& p) { return task < p.tasks.end; });
      const auto& [c, plan, weights, tasks] = *part;
      Work own = work;
      own.weights = reinterpret_cast<const float*>(args.packed) + weights;
      own.plain = c.dtype == DType::f32 && pass_.epilogue.empty() && !pass_.slope &&
                  plan.runs * plan.run == c.columns;
      // What training keeps for later, not what is read next.
      own.stream = aligned && streams(c, plan) && (own.plain || pass_.sums || pass_.slope);
      const Region region = plan.region(c, task - tasks.begin);
      auto* scratch =
          reinterpret_cast<float*>(args.scratch + static_cast<size_t>(slot) * copy_bytes_);
      own.x = view(*part, args.in[pass_.x], region, scratch);
      set_taps(c, own);
      HWY_DYNAMIC_DISPATCH(compute)(c, plan, region, own);
    });
  }

 private:
  struct Part {
    Convolution c;
    Plan plan;
    int64_t weights = 0;  ///< where its packed weights are
    Range tasks = {};
  };

  /// The taps of a row whose channels are next to each other in x are one tap of more channels.
  static void set_taps(const Convolution& c, Work& work) {
    View& v = work.x;
    const bool join = c.dilation[1] == 1 && v.column == c.in && c.in <= block;
    const int64_t joined = join ? c.kernel[1] : 1;
    work.channels = joined * c.in;
    if (join) v.together = std::max<int64_t>(1, work.channels);
    for (int64_t y = 0; y < c.kernel[0]; ++y) {
      for (int64_t x = 0; x < c.kernel[1]; x += joined)
        work.taps.push_back(y * c.dilation[0] * v.row + x * c.dilation[1] * v.column);
    }
  }

  /// Whether y is too large for the caches, and a vector is an entire line of them.
  static bool streams(const Convolution& c, const Plan& plan) {
    constexpr int64_t large = 1 << 20;
    return c.dtype == DType::f32 && plan.lanes == block && c.y.column % block == 0 &&
           c.images * c.rows * c.columns * c.out > large;
  }

  static View view(const Part& part, const std::byte* x, const Region& region, float* scratch) {
    const auto& [c, plan, weights, tasks] = part;
    const Window window = window_of(c, plan, region);
    View v{.image = c.x.image, .block = c.x.block, .row = c.x.row, .column = c.x.column};
    v.together = block;
    if (plan.copied) {
      with_element(c, [&]<class T>(T) {
        v = copy(c, window, region.images, reinterpret_cast<const T*>(x), scratch);
      });
      return v;
    }
    v.data = reinterpret_cast<const float*>(x) + region.images.begin * v.image +
             window.rows.begin * v.row + window.columns.begin * v.column;
    return v;
  }

  /// The epilogue, each residual together with the activation after it.
  std::vector<Step> steps(const Args& args) const {
    if (pass_.slope) {
      return {{.activation = pass_.slope->activation,
               .alpha = static_cast<float>(pass_.slope->alpha),
               .slope_at = args.in[2],
               .value = pass_.value ? args.out[1] : nullptr}};
    }
    std::vector<Step> result(1);
    if (pass_.sums) result[0].sums = args.out[1];
    const auto adds = [](const EpilogueStep& step) { return !step.activation; };
    size_t residual =
        args.in.size() - static_cast<size_t>(std::ranges::count_if(pass_.epilogue, adds));
    for (const EpilogueStep& step : pass_.epilogue) {
      Step& before = result.back();
      if (adds(step)) {
        const bool first = result.size() == 1 && !before.activation && before.sums == nullptr &&
                           before.residual == nullptr;
        (first ? before : result.emplace_back()).residual = args.in[residual++];
      } else {
        Step& own = before.activation ? result.emplace_back() : before;
        own.activation = step.activation, own.alpha = static_cast<float>(step.alpha);
      }
    }
    return result;
  }

  Pass pass_;
  std::vector<Part> parts_;
  int64_t floats_ = 0, tasks_ = 0;
  size_t copy_bytes_ = 0, slots_ = 1;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(Pass pass, int threads) {
  return std::make_unique<DirectKernel>(std::move(pass), threads);
}

}  // namespace fovea::simd::direct
#endif
