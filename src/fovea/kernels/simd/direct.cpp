// Convolutions without groups and matrix products whose weights stay the same from run to run, in
// f32: each output is the sum over taps, then over channels in order, in one chain of fused
// multiply-adds, so bits do not depend on the number of threads. x may have any layout, y all but
// plain. Error bound: as many eps as there are products, of their absolute values.
//
// A tile of the output is up to two runs of positions by two vectors of channels, all of it in
// registers. For each tap and channel of x it takes two vectors of weights, which are packed in
// that order and stay in the L2 cache from tile to tile, and one number of x for each position,
// from L1. Padded or unfavourably placed x is copied first, region by region.
#include <fmt/format.h>

#include "fovea/core/parallel.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/conv.h"
#include "fovea/ops/linear.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/direct.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/activations-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DIRECT
#define FOVEA_KERNELS_SIMD_DIRECT
namespace fovea::simd::direct {
namespace {

/// The smallest panels of weights that are fetched ahead.
constexpr int64_t fetched_bytes = 32 << 10;

/// Rows of a linear layer for which reading the weights takes longer than computing.
constexpr int64_t few_rows = 64;

/// What one task reads and writes.
struct Work {
  View x;
  std::vector<int64_t> taps;  ///< their offsets in x
  const float* weights = nullptr;
  const float* bias = nullptr;
  std::vector<Step> steps = {};  ///< at least one
  float* y = nullptr;
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

/// The sums of a tile: rows of `vectors` for each position of the runs that begin at `at`.
template <int length, int runs, int vectors>
HWY_NOINLINE void compute_tile(const View& x, const float* const (&at)[runs],
                               std::span<const int64_t> taps, int64_t channels, int64_t step,
                               const float* w, const float* bias, Ahead ahead, float* to) {
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
      }
      for (const float* stop = ahead.weights + ahead.step; ahead.weights < stop;
           ahead.weights += 16)
        __builtin_prefetch(ahead.weights, 0, 2);
      const float* end = w + std::min(x.together, rest) * vectors * lanes;
      for (; w < end; w += vectors * lanes) {
        add_products<length, runs, vectors>(from, step, w, sums);
#pragma GCC unroll 2
        for (int i = 0; i < runs; ++i) ++from[i];
      }
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < runs * length; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) hn::Store(sums[r][j], F32(), to + (r * vectors + j) * lanes);
  }
}

/// Where sums become outputs: positions [skip, length) of a run, `channels` from `offset` on.
struct Destination {
  int64_t offset, channel_block, column, channels;
  int64_t skip, length;
};

/// Applies a step to a run's sums, and stores them there, or in y. Channels beyond the last are not
/// touched.
template <int vectors, class F>
HWY_INLINE void apply(const Destination& d, const float* residual, float* sums, float* y,
                      const F& f) {
  for (int64_t r = d.skip; r < d.length; ++r) {
    for (int64_t j = 0; j * lanes < d.channels; ++j) {
      const int64_t from =
          d.offset + j * lanes / block * d.channel_block + j * lanes % block + r * d.column;
      float* sum = sums + (r * vectors + j) * lanes;
      const auto finish = [&](auto access) FOVEA_INLINE {
        V v = hn::Load(F32(), sum);
        if (residual != nullptr) v = hn::Add(v, access.load(residual + from));
        v = f(v);
        y != nullptr ? access.store(v, y + from) : hn::Store(v, F32(), sum);
      };
      const int64_t rest = d.channels - j * lanes;
      rest >= lanes ? finish(Whole{}) : finish(Part{static_cast<size_t>(rest)});
    }
  }
}

template <int vectors>
HWY_INLINE void finish_run(const Work& work, const Destination& d, float* sums) {
  for (const Step& step : work.steps) {
    float* y = &step == &work.steps.back() ? work.y : nullptr;
    if (!step.activation) {
      apply<vectors>(d, step.residual, sums, y, [](V v) FOVEA_INLINE { return v; });
      continue;
    }
    with_activation(*step.activation, step.alpha, [&](auto activation) {
      apply<vectors>(d, step.residual, sums, y,
                     [&](V v) FOVEA_INLINE { return activation.value(v); });
    });
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
  const int64_t blocks = c.taps() * ((c.in + work.x.together - 1) / work.x.together);
  Ahead ahead{.weights = w + size};
  if (tiles > 1 && tiles <= 32 && size * 4 > fetched_bytes)
    ahead.step = (size / (tiles * blocks) + 15) / 16 * 16;

  const float* at[2];
  Destination to[2];
  int pending = 0;
  const auto compute = [&] {
    if (pending == 2) {
      compute_tile<length, 2, vectors>(work.x, at, work.taps, c.in, step, w, bias, ahead, sums);
    } else {
      const float* const first[1] = {at[0]};
      compute_tile<length, 1, vectors>(work.x, first, work.taps, c.in, step, w, bias, ahead, sums);
    }
    ahead.weights += ahead.step * blocks;
    for (int i = 0; i < pending; ++i)
      finish_run<vectors>(work, to[i], sums + i * length * vectors * lanes);
    pending = 0;
  };
  for (int64_t n = region.images.begin; n < region.images.end; ++n) {
    for (int64_t row = region.rows.begin; row < region.rows.end; ++row) {
      const float* x = work.x.data + (n - region.images.begin) * work.x.image +
                       (row - region.rows.begin) * c.stride[0] * work.x.row;
      const int64_t y =
          n * c.y.image + row * c.y.row + channel / block * c.y.block + channel % block;
      for (int64_t run = region.runs.begin; run < region.runs.end; ++run) {
        const int64_t first = plan.first(c.columns, run);
        at[pending] = x + (first - origin) * step;
        to[pending] = {.offset = y + first * c.y.column,
                       .channel_block = c.y.block,
                       .column = c.y.column,
                       .channels = channels,
                       .skip = run * length - first,
                       .length = length};
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

void compute(const Convolution& c, const Plan& plan, const Region& region, const Work& work) {
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

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::direct
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::direct {
namespace {

HWY_EXPORT(registers);
HWY_EXPORT(compute);

/// Copies the window of one region into blocks of channels, or a single smaller one; positions
/// outside x are 0.
View copy(const Convolution& c, const Window& window, Range images, const float* x, float* to) {
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
    const float* from = x + image * c.x.image + b * c.x.block + y * c.x.row;
    float* first = to + (inside.begin - window.columns.begin) * together;
    float* end = first + inside.size() * together;
    std::fill(to, first, 0.f);
    std::fill(end, to + v.row, 0.f);
    from += inside.begin * c.x.column;
    const int64_t channels = std::min(block, c.in - b * block);
    if (c.x.column == together) {
      std::copy_n(from, end - first, first);
    } else if (c.x.channel == 1) {
      for (; first < end; first += together, from += c.x.column) std::copy_n(from, channels, first);
    } else {
      for (int64_t k = 0; k < channels; ++k, from += c.x.channel) {
        for (int64_t column = 0; column < inside.size(); ++column)
          first[column * together + k] = from[column * c.x.column];
      }
    }
  }
  return v;
}

class DirectKernel final : public Kernel {
 public:
  DirectKernel(const Convolution& c, const Problem& problem, bool bias,
               std::vector<EpilogueStep> epilogue)
      : c_(c), bias_(bias), epilogue_(std::move(epilogue)) {
    const Registers r = HWY_DYNAMIC_DISPATCH(registers)();
    plan_ = make_plan(c, r.lanes, r.longest, problem.threads);
    copy_bytes_ = align_up(static_cast<size_t>(copy_floats(c, plan_)) * sizeof(float));
    slots_ = static_cast<size_t>(std::min<int64_t>(plan_.tasks(), problem.threads));
  }

  size_t scratch_bytes() const override { return slots_ * copy_bytes_; }
  std::vector<int> packed_inputs() const override { return {1}; }
  size_t packed_bytes() const override {
    const int64_t vectors = (c_.out + plan_.lanes - 1) / plan_.lanes;
    return static_cast<size_t>(vectors * plan_.lanes * c_.products()) * sizeof(float);
  }
  std::string packed_form() const override {
    return fmt::format("direct {} {} {} {}", c_.out, c_.in, c_.taps(), plan_.lanes);
  }
  /// By panel, tap and input channel: the weights of the panel's output channels.
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    const auto* w = reinterpret_cast<const float*>(in[1]);
    auto* all = reinterpret_cast<float*>(packed);
    parallel_chunks(plan_.panels, [&](int64_t panel, int) {
      const int64_t first = panel * 2 * plan_.lanes, rest = c_.out - first;
      const int64_t width = rest > plan_.lanes ? 2 * plan_.lanes : plan_.lanes;
      float* to = all + first * c_.products();
      for (int64_t tap = 0; tap < c_.taps(); ++tap) {
        for (int64_t i = 0; i < c_.in; ++i) {
          for (int64_t o = 0; o < width; ++o)
            *to++ = o < rest ? w[((first + o) * c_.in + i) * c_.taps() + tap] : 0;
        }
      }
    });
  }

  void run(const Args& args) const override {
    Work work{.x = {}, .taps = {}};
    work.weights = reinterpret_cast<const float*>(args.packed);
    work.bias = bias_ ? args.input<float>(2) : nullptr;
    work.steps = steps(args);
    work.y = args.output<float>(0);
    parallel_chunks(plan_.tasks(), [&](int64_t task, int slot) {
      Work own = work;
      const Region region = plan_.region(c_, task);
      auto* scratch =
          reinterpret_cast<float*>(args.scratch + static_cast<size_t>(slot) * copy_bytes_);
      own.x = view(args.input<float>(0), region, scratch);
      for (int64_t y = 0; y < c_.kernel[0]; ++y) {
        for (int64_t x = 0; x < c_.kernel[1]; ++x)
          own.taps.push_back(y * c_.dilation[0] * own.x.row + x * c_.dilation[1] * own.x.column);
      }
      HWY_DYNAMIC_DISPATCH(compute)(c_, plan_, region, own);
    });
  }

 private:
  View view(const float* x, const Region& region, float* scratch) const {
    const Window window = window_of(c_, plan_, region);
    if (plan_.copied) return copy(c_, window, region.images, x, scratch);
    View v{.image = c_.x.image, .block = c_.x.block, .row = c_.x.row, .column = c_.x.column};
    v.together = c_.x.layout == Layout::blocked16 ? block : c_.in;
    v.data = x + region.images.begin * v.image + window.rows.begin * v.row +
             window.columns.begin * v.column;
    return v;
  }

  /// The epilogue, each residual together with the activation after it.
  std::vector<Step> steps(const Args& args) const {
    std::vector<Step> result;
    const auto adds = [](const EpilogueStep& step) { return !step.activation; };
    size_t residual = args.in.size() - static_cast<size_t>(std::ranges::count_if(epilogue_, adds));
    for (const EpilogueStep& step : epilogue_) {
      if (!step.activation) {
        result.push_back({.residual = args.input<float>(residual++)});
      } else if (result.empty() || result.back().activation) {
        result.push_back({.activation = step.activation, .alpha = static_cast<float>(step.alpha)});
      } else {
        result.back().activation = step.activation;
        result.back().alpha = static_cast<float>(step.alpha);
      }
    }
    if (result.empty()) result.push_back({});
    return result;
  }

  Convolution c_;
  bool bias_;
  std::vector<EpilogueStep> epilogue_;
  Plan plan_;
  size_t copy_bytes_ = 0, slots_ = 1;
};

Place place_of(const Type& type) {
  const int64_t channels = type.dim(1), width = type.dim(-1);
  const int64_t plane = type.numel() / std::max<int64_t>(1, type.dim(0) * channels);
  Place p{.layout = type.layout, .image = channels * plane};
  switch (type.layout) {
    case Layout::plain:
      p.column = 1, p.channel = plane, p.block = block * plane;
      break;
    case Layout::channels_last:
      p.column = channels, p.block = block;
      break;
    case Layout::blocked16:
      p.column = block, p.block = block * plane;
      break;
  }
  p.row = p.column * width;
  return p;
}

/// Where windows are single pixels of all of x, a plane is one row; and a batch is, where images
/// follow each other like pixels.
void join_rows(Convolution& c) {
  if (c.padded || c.taps() > 1 || c.stride[0] > 1 || c.stride[1] > 1) return;
  c.width = c.columns = c.rows * c.columns;
  c.height = c.rows = 1;
  if (c.x.layout != Layout::channels_last || c.y.layout != Layout::channels_last) return;
  c.width = c.columns = c.images * c.columns;
  c.images = 1;
}

Convolution convolution_of(const Conv& op, const Type& x, const Type& y) {
  Convolution c{.images = x.dim(0), .in = x.dim(1), .out = y.dim(1)};
  c.width = x.dim(-1), c.columns = y.dim(-1);
  if (x.rank() == 4) c.height = x.dim(2), c.rows = y.dim(2);
  for (int axis = 0; axis < x.rank() - 2; ++axis) {
    const auto from = static_cast<size_t>(axis);
    const int to = axis + 4 - x.rank();
    c.kernel[to] = op.kernel[axis];
    c.stride[to] = op.geometry.stride[from];
    c.dilation[to] = op.geometry.dilation[from];
    c.padding[to] = op.geometry.padding_begin[from];
    c.padded = c.padded || op.geometry.padding_begin[from] > 0 || op.geometry.padding_end[from] > 0;
  }
  c.x = place_of(x), c.y = place_of(y);
  join_rows(c);
  return c;
}

std::optional<Refusal> refuse(const Problem& problem) {
  if (!weights_fixed) return Refusal{"only weights that are packed once"};
  if (problem.out[0].numel() == 0 || problem.in[0].numel() == 0)
    return Refusal{"nothing to compute for empty values"};
  return unless_f32(problem);
}

}  // namespace
}  // namespace fovea::simd::direct

namespace fovea::simd {

Offer make_direct_convolution(const Problem& problem) {
  using namespace direct;
  const Conv& op = problem.op.get<Conv>();
  const Type &x = problem.in[0], &y = problem.out[0];
  if (auto refusal = refuse(problem)) return *refusal;
  if (op.geometry.groups != 1 || x.rank() > 4) return Refusal{"only one or two axes, no groups"};
  if (y.layout == Layout::plain) return Refusal{"only channels-last and blocked16 outputs"};
  for (size_t i = problem.in.size() - op.residuals(); i < problem.in.size(); ++i) {
    if (problem.in[i].layout != y.layout) return Refusal{"residuals need the output's layout"};
  }
  return std::make_unique<DirectKernel>(convolution_of(op, x, y), problem, op.bias, op.steps());
}

double direct_price(const Problem& problem) { return direct_share * nominal_seconds(problem); }

std::vector<Layouts> direct_layouts(const Problem& problem) {
  const Type &x = problem.in[0], &y = problem.out[0];
  const Conv& op = problem.op.get<Conv>();
  if (!weights_fixed || x.rank() > 4 || op.geometry.groups != 1) return {};
  Layout after = preferred_layout(y);
  if (after == Layout::plain) after = Layout::channels_last;
  Layouts layouts{std::vector(problem.in.size(), Layout::plain), {after}};
  layouts.in[0] = x.layout;
  for (size_t i = problem.in.size() - op.residuals(); i < problem.in.size(); ++i)
    layouts.in[i] = after;
  return {layouts};
}

Offer make_linear(const Problem& problem) {
  using namespace direct;
  if (auto refusal = refuse(problem)) return *refusal;
  const Type& w = problem.in[1];
  Convolution c{.in = w.dim(1), .out = w.dim(0)};
  c.width = c.columns = problem.in[0].numel() / c.in;
  if (c.columns > few_rows) return Refusal{"oneDNN is faster for more than 64 rows"};
  const auto rows = [&](int64_t channels) -> Place {
    return {.layout = Layout::channels_last,
            .image = channels * c.columns,
            .block = block,
            .row = channels * c.columns,
            .column = channels};
  };
  c.x = rows(c.in), c.y = rows(c.out);
  return std::make_unique<DirectKernel>(c, problem, problem.op.get<Linear>().bias,
                                        std::vector<EpilogueStep>{});
}

}  // namespace fovea::simd
#endif
