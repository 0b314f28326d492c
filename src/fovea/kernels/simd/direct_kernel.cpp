// The kernel of direct convolutions: copies and weights in their own format, and the division of
// the work; direct.cpp computes.
#include <fmt/format.h>

#include <limits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/transpose.h"

namespace fovea::simd::direct {
namespace {

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

/// Copies a panel's weights as below, of several groups: 0 between them.
template <class T>
void pack_groups(const Convolution& c, const T* w, int64_t first, int64_t width, float* to) {
  const Weights& step = c.weights;
  for (int64_t tap = 0; tap < c.taps(); ++tap) {
    const T* from =
        w + step.first + tap / c.kernel[1] * step.tap[0] + tap % c.kernel[1] * step.tap[1];
    for (int64_t k = 0; k < c.in; ++k, to += width) {
      const int64_t group = k / c.group_in();
      for (int64_t o = 0; o < width; ++o) {
        const bool own = first + o < c.out && (first + o) / c.group_out() == group;
        to[o] = own ? static_cast<float>(
                          from[group * step.group + (first + o) % c.group_out() * step.out +
                               k % c.group_in() * step.in])
                    : 0.f;
      }
    }
  }
}

/// Copies the weights of a panel: by tap and input channel, those of the panel's output channels.
/// Reads are along the axis of the smaller step.
template <class T>
void pack_panel(const Convolution& c, const T* w, int64_t first, int64_t width, float* to) {
  if (c.groups > 1) return pack_groups(c, w, first, width, to);
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

/// The taps of a row whose channels are next to each other in x are one tap of more channels.
void set_taps(const Convolution& c, Work& work) {
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

}  // namespace

int64_t packed_floats(const Convolution& c, int64_t lanes) {
  return (c.out + lanes - 1) / lanes * lanes * c.products();
}

void pack_weights(const Convolution& c, const Plan& plan, const std::byte* weights, float* to) {
  parallel_chunks(plan.panels, [&](int64_t panel, int) {
    const int64_t first = panel * 2 * plan.lanes;
    const int64_t width = c.out - first > plan.lanes ? 2 * plan.lanes : plan.lanes;
    with_element(c, [&]<class T>(T) {
      pack_panel(c, reinterpret_cast<const T*>(weights), first, width, to + first * c.products());
    });
  });
}

void set_input(const Convolution& c, const Plan& plan, const Region& region, const std::byte* x,
               float* scratch, Work& work) {
  const Window window = window_of(c, plan, region);
  View& v = work.x;
  if (plan.copied) {
    with_element(c, [&]<class T>(T) {
      v = copy(c, window, region.images, reinterpret_cast<const T*>(x), scratch);
    });
  } else {
    v = {.image = c.x.image, .block = c.x.block, .row = c.x.row, .column = c.x.column};
    v.together = block;
    v.data = reinterpret_cast<const float*>(x) + region.images.begin * v.image +
             window.rows.begin * v.row + window.columns.begin * v.column;
  }
  set_taps(c, work);
}

namespace {

std::optional<Bounds> bounds_of(std::optional<UnaryKind> activation) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (!activation) return Bounds{-infinity, infinity};
  if (activation == UnaryKind::relu) return Bounds{0, infinity};
  if (activation == UnaryKind::relu6) return Bounds{0, 6};
  return std::nullopt;
}

}  // namespace

std::optional<Bounds> bounds_of(std::span<const EpilogueStep> epilogue) {
  if (epilogue.empty()) return bounds_of(std::nullopt);
  if (epilogue.size() > 1 || !epilogue[0].activation) return std::nullopt;
  return bounds_of(epilogue[0].activation);
}

std::optional<Bounds> bounds_after_residual(std::span<const Step> steps) {
  const Step& first = steps[0];
  if (steps.size() > 1 || first.sums != nullptr || first.slope_at != nullptr) return std::nullopt;
  return bounds_of(first.activation);
}

std::vector<Step> steps_of(std::span<const EpilogueStep> epilogue,
                           std::span<const std::byte* const> in, std::byte* sums) {
  const auto adds = [](const EpilogueStep& step) { return !step.activation; };
  size_t residual = in.size() - static_cast<size_t>(std::ranges::count_if(epilogue, adds));
  std::vector<Step> result(1);
  result[0].sums = sums;
  for (const EpilogueStep& step : epilogue) {
    Step& before = result.back();
    if (adds(step)) {
      const bool first = result.size() == 1 && !before.activation && before.sums == nullptr &&
                         before.residual == nullptr;
      (first ? before : result.emplace_back()).residual = in[residual++];
    } else {
      Step& own = before.activation ? result.emplace_back() : before;
      own.activation = step.activation, own.alpha = static_cast<float>(step.alpha);
    }
  }
  return result;
}

std::vector<Step> steps_of(const Pass& pass, const Args& args) {
  if (pass.slope) {
    return {{.activation = pass.slope->activation,
             .alpha = static_cast<float>(pass.slope->alpha),
             .slope_at = args.in[2],
             .value = pass.value ? args.out[1] : nullptr}};
  }
  return steps_of(pass.epilogue, args.in, pass.sums ? args.out[1] : nullptr);
}

bool streams(const Pass& pass, const Convolution& c, const Args& args) {
  constexpr int64_t large = 1 << 20;
  // What training keeps for later, not what is read next.
  const bool kept = pass.epilogue.empty() || pass.sums || pass.slope;
  const auto is_aligned = [](const std::byte* out) {
    return reinterpret_cast<uintptr_t>(out) % 64 == 0;
  };
  return kept && c.dtype == DType::f32 && c.y.column % block == 0 && c.offset % block == 0 &&
         c.images * c.rows * c.columns * c.out > large && std::ranges::all_of(args.out, is_aligned);
}

bool do_nothing(std::span<const Step> steps) {
  const Step& first = steps[0];
  return steps.size() == 1 && first.residual == nullptr && first.sums == nullptr &&
         !first.activation;
}

namespace {

class DirectKernel final : public Kernel {
 public:
  DirectKernel(Pass pass, int threads) : pass_(std::move(pass)) {
    const Registers r = registers();
    std::vector<Convolution> convolutions;
    for (const Convolution& c : pass_.parts) {
      for (const Convolution& part : split_groups(c, r.lanes)) convolutions.push_back(part);
    }
    for (const Convolution& c : convolutions) {
      Part part{.c = c, .plan = make_plan(c, r, threads)};
      part.weights = floats_, part.tasks = {tasks_, tasks_ + part.plan.tasks()};
      floats_ += packed_floats(c, r.lanes);
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
      if (c.groups > 1) form += fmt::format(" {}*{}", c.groups, w.group);
    }
    return form;
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    const std::byte* w = in[pass_.weights];
    for (const auto& [c, plan, weights, tasks] : parts_)
      pack_weights(c, plan, w, reinterpret_cast<float*>(packed) + weights);
  }

  /// Of a residual, unless runs overlap: what they share would be added to twice.
  bool in_place(size_t input, size_t) const override {
    const auto overlap = [](const Part& part) { return part.c.columns % part.plan.run != 0; };
    return !pass_.sums && !pass_.slope && input >= 2u + pass_.bias &&
           std::ranges::none_of(parts_, overlap);
  }

  void run(const Args& args) const override {
    Work work{.x = {}, .taps = {}};
    work.bias = pass_.bias ? args.input<float>(2) : nullptr;
    work.steps = steps_of(pass_, args);
    work.y = args.out[0];
    std::vector<Input> inputs(slots_);
    parallel_chunks(tasks_, [&](int64_t task, int slot) {
      const auto part =
          std::ranges::find_if(parts_, [&](const Part& p) { return task < p.tasks.end; });
      const auto& [c, plan, weights, tasks] = *part;
      const int64_t own_task = task - tasks.begin;
      const Region region = plan.region(c, own_task);
      Input& input = inputs[static_cast<size_t>(slot)];
      if (input.part != &*part || input.band != plan.band_of(own_task)) {
        input = {.part = &*part, .band = plan.band_of(own_task), .work = work};
        Work& own = input.work;
        if (own.bias != nullptr) own.bias += c.channel;
        own.weights = reinterpret_cast<const float*>(args.packed) + weights;
        if (c.dtype == DType::f32) own.bounds = bounds_after_residual(own.steps);
        own.stream = plan.lanes == block && streams(pass_, c, args);
        set_input(
            c, plan, region, args.in[pass_.x] + c.input * static_cast<int64_t>(size_of(c.dtype)),
            reinterpret_cast<float*>(args.scratch + static_cast<size_t>(slot) * copy_bytes_), own);
      }
      compute_region(c, plan, region, input.work);
    });
  }

 private:
  struct Part {
    Convolution c;
    Plan plan;
    int64_t weights = 0;  ///< where its packed weights are
    Range tasks = {};
  };
  /// What a thread's last task read: often the next one reads it, too, and need not copy it.
  struct Input {
    const Part* part = nullptr;
    int64_t band = 0;
    Work work = {};
  };

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
