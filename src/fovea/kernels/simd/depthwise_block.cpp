// A depthwise convolution between convolutions of single pixels, f32, band by band of its rows: for
// some channels at a time, the rows that a band needs are computed (or copied) into a buffer with
// zeros around them and filtered; then the last convolution reads all channels of the band. Buffers
// stay in the L2 cache, so of the many channels in between nothing is written to memory. Rows that
// two bands need are computed twice. Each convolution computes each output as direct.cpp and
// depthwise_convolution.cpp do: with the same bits, for any number of threads.
#include "fovea/kernels/simd/depthwise_block.h"

#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/depthwise.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/depthwise_block.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/depthwise_block.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/depthwise-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DEPTHWISE_BLOCK
#define FOVEA_KERNELS_SIMD_DEPTHWISE_BLOCK
namespace fovea::simd::depthwise {
namespace {

/// Filters some rows of a block of 16 channels: reads a buffer and writes `row` floats for each.
struct Filter {
  std::span<const Tap> taps;  ///< positions in the buffer
  direct::Bounds bounds;
  std::span<const EpilogueStep> steps;  ///< after the bounds
  int64_t stride;                       ///< of columns
  int64_t in_row;                       ///< positions of the buffer from one output row to the next
  int64_t columns;                      ///< of the output
  int64_t rows;
};

/// A row of 16 channels that becomes part of y: `column` elements lie between two positions of it.
struct Target {
  const EpilogueStep* steps;
  size_t count;
  int64_t columns, column, channels;
};

}  // namespace
}  // namespace fovea::simd::depthwise
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::depthwise::HWY_NAMESPACE;  // NOLINT

void filter_rows(const Filter& f, const float* in, const float* weights, const float* bias,
                 float* out) {
  for (int64_t row = 0; row < f.rows; ++row, in += f.in_row * 16, out += f.columns * 16) {
    for (int64_t c = 0; c < 16; c += lanes) {
      correlate_row<16>(in + c, f.stride, f.taps, weights + c, f.columns, {bias + c, f.bounds},
                        out + c, 1);
    }
    for (const EpilogueStep& step : f.steps)
      activate(*step.activation, step.alpha, out, f.columns * 16);
  }
}

/// Applies the remaining steps to a row and writes it; residuals are at the same offset as y.
void finish_row(const Target& t, float* sums, const float* const* residuals, float* y) {
  const auto each = [&](const auto& f) FOVEA_INLINE {
    for (int64_t i = 0; i < t.columns; ++i) {
      for_each_vector(0, t.channels, [&](int64_t c, auto at) FOVEA_INLINE {
        float* sum = sums + i * 16 + c;
        f(at, sum, i * t.column + c);
      });
    }
  };
  for (const EpilogueStep& step : std::span(t.steps, t.count)) {
    if (step.activation) {
      activate(*step.activation, step.alpha, sums, t.columns * 16);
      continue;
    }
    const float* from = *residuals++;
    each([&](auto at, float* sum, int64_t offset) FOVEA_INLINE {
      hn::Store(hn::Add(hn::Load(F32(), sum), at.load(from + offset)), F32(), sum);
    });
  }
  each([&](auto at, float* sum, int64_t offset)
           FOVEA_INLINE { at.store(hn::Load(F32(), sum), y + offset); });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::depthwise
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace depthwise {
namespace {

HWY_EXPORT(filter_rows);
HWY_EXPORT(finish_row);

/// What the buffers of a thread may take together: about half of the L2 caches of today.
constexpr int64_t buffer_floats = (1 << 20) / 4;

/// Channels that are filtered together: entire panels of direct convolutions on all CPUs.
constexpr int64_t together = 32;

int64_t blocks_of(int64_t channels) { return (channels + 15) / 16; }

/// Floats of entire cache lines.
int64_t lines(int64_t floats) { return (floats + 15) / 16 * 16; }

class BlockKernel final : public Kernel {
 public:
  explicit BlockKernel(const Problem& problem) : op_(problem.op.get<DepthwiseBlock>()) {
    const Type &x = problem.in[0], &y = problem.out[0];
    const Shape& weight = problem.in[op_.expands ? 3 : 1].shape;
    images_ = x.dim(0), channels_ = weight[0];
    const std::vector<WindowAxis> axes = op_.geometry.axes(weight);
    rows_ = axes[0], columns_ = axes[1];
    in_rows_ = x.dim(2), in_columns_ = x.dim(3), out_rows_ = y.dim(2), out_columns_ = y.dim(3);
    x_ = direct::place_of(x), y_ = direct::place_of(y);
    // Columns beyond the last that is read are none of the buffer's.
    length_ = (out_columns_ - 1) * columns_.stride + extent(columns_);
    if (op_.expands) length_ = std::max(length_, columns_.padding_begin + in_columns_);
    for (int64_t ky = 0; ky < weight[2]; ++ky) {
      for (int64_t kx = 0; kx < weight[3]; ++kx)
        taps_.push_back(
            {ky * rows_.dilation * length_ + kx * columns_.dilation, ky * weight[3] + kx});
    }
    join_threes(taps_);
    filtered_ = op_.filtered.steps();
    if (const auto bounds = direct::bounds_of(filtered_)) {
      bounds_ = *bounds;
      filtered_.clear();
    }
    band_ = band_rows(problem.threads);
    bands_ = (out_rows_ + band_ - 1) / band_;
    threads_ = problem.threads;
    if (op_.expands) plan_expansion(x);
    if (op_.projects) plan_projection(y);
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(checked_product(threads_ * scratch_floats(), sizeof(float)));
  }
  std::vector<int> packed_inputs() const override {
    std::vector<int> inputs;
    for (int i = 0; i < (op_.expands ? 1 : 0) + 1 + (op_.projects ? 1 : 0); ++i)
      inputs.push_back(1 + 2 * i);
    return inputs;
  }
  size_t packed_bytes() const override {
    return static_cast<size_t>(packed_filter() + filter_floats() + packed_projection_) *
           sizeof(float);
  }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    auto* to = reinterpret_cast<float*>(packed);
    if (op_.expands) direct::pack_weights(expansion_, expansion_plan_, in[1], to);
    pack_weights(DType::f32, channels_, window(), in[op_.expands ? 3 : 1], to + packed_filter());
    if (op_.projects)
      direct::pack_weights(projection_, projection_plan_, in[op_.expands ? 5 : 3],
                           to + packed_filter() + filter_floats());
  }

  void run(const Args& args) const override {
    parallel_chunks(images_ * bands_, [&](int64_t task, int slot) {
      auto* scratch = reinterpret_cast<float*>(args.scratch) + slot * scratch_floats();
      const int64_t first = task % bands_ * band_;
      compute(args, task / bands_, first, std::min(band_, out_rows_ - first), scratch);
    });
  }

 private:
  /// Rows of the buffer that so many rows of the output read.
  int64_t rows_for(int64_t band) const { return (band - 1) * rows_.stride + extent(rows_); }
  int64_t plane(int64_t band) const { return rows_for(band) * length_ * 16; }
  int64_t in_floats(int64_t band) const { return plane(band) * blocks_of(together); }
  int64_t out_floats(int64_t band) const {
    return op_.projects ? blocks_of(channels_) * band * out_columns_ * 16 : out_columns_ * 16;
  }
  int64_t scratch_floats() const { return in_floats(band_) + out_floats(band_) + lines(copied_); }
  int64_t packed_filter() const { return lines(packed_expansion_); }
  int64_t filter_floats() const { return blocks_of(channels_) * window() * 16; }
  int64_t window() const { return std::ssize(taps_); }

  /// As many as fit into the cache, in bands of equal size, the same number for each thread where
  /// there are few images.
  int64_t band_rows(int threads) const {
    int64_t band = 1;
    while (band < out_rows_ && in_floats(band + 1) + out_floats(band + 1) <= buffer_floats) ++band;
    int64_t bands = (out_rows_ + band - 1) / band;
    if (images_ < 4 * threads)
      bands = std::min(out_rows_, (bands * images_ + threads - 1) / threads * threads / images_);
    bands = std::max<int64_t>(bands, (out_rows_ + band - 1) / band);
    return (out_rows_ + bands - 1) / bands;
  }

  direct::Plan plan_of(const direct::Convolution& c) const {
    direct::Plan plan = direct::make_plan(c, direct::registers(), 1);
    plan.piece = {
        .images = {0, 1}, .rows = {0, c.rows}, .runs = {0, plan.runs}, .panels = {0, plan.panels}};
    return plan;
  }

  /// Its outputs are the buffer's: those of `together` channels, from the row where a band begins.
  void plan_expansion(const Type& x) {
    direct::Convolution& c = expansion_;
    c = {.images = images_,
         .in = x.dim(1),
         .out = channels_,
         .height = in_rows_,
         .width = in_columns_,
         .rows = in_rows_,
         .columns = in_columns_,
         .x = x_};
    c.y = {.layout = Layout::blocked16, .block = plane(band_), .row = length_ * 16, .column = 16};
    c.weights = {.out = c.in, .in = 1};
    expansion_plan_ = plan_of(c);
    expansion_plan_.piece.rows.end = std::min(in_rows_, rows_for(band_));
    packed_expansion_ = direct::packed_floats(c, expansion_plan_.lanes);
    copied_ = direct::copy_floats(c, expansion_plan_);
  }

  void plan_projection(const Type& y) {
    direct::Convolution& c = projection_;
    c = {.images = images_,
         .in = channels_,
         .out = y.dim(1),
         .height = out_rows_,
         .width = out_columns_,
         .rows = out_rows_,
         .columns = out_columns_};
    c.x = {.layout = Layout::blocked16,
           .block = band_ * out_columns_ * 16,
           .row = out_columns_ * 16,
           .column = 16};
    c.y = y_;
    c.weights = {.out = c.in, .in = 1};
    projection_plan_ = plan_of(c);
    packed_projection_ = direct::packed_floats(c, projection_plan_.lanes);
  }

  static direct::Work work_of(const Epilogue& epilogue, const float* weights, const float* bias,
                              std::span<const std::byte* const> residuals, std::byte* y) {
    direct::Work work{.x = {}, .taps = {}, .weights = weights, .bias = bias, .y = y};
    work.steps = direct::steps_of(epilogue.steps(), residuals);
    work.bounds = direct::bounds_after_residual(work.steps);
    return work;
  }

  void compute(const Args& args, int64_t image, int64_t first, int64_t count,
               float* scratch) const {
    float *in = scratch, *out = in + in_floats(band_), *copy = out + out_floats(band_);
    const int64_t top = first * rows_.stride - rows_.padding_begin;
    const direct::Range inside{std::max<int64_t>(0, top),
                               std::min(in_rows_, top + rows_for(count))};
    const auto* packed = reinterpret_cast<const float*>(args.packed);
    fill_padding(inside, top, in);

    direct::Convolution c = expansion_;
    direct::Region region{.images = {image, image + 1},
                          .rows = inside,
                          .runs = {0, expansion_plan_.runs},
                          .panels = {}};
    direct::Work work;
    if (op_.expands) {
      work =
          work_of(op_.expanded, packed, args.input<float>(2), {}, reinterpret_cast<std::byte*>(in));
      if (inside.size() > 0) direct::set_input(c, expansion_plan_, region, args.in[0], copy, work);
    }
    const int64_t corner = columns_.padding_begin * 16 - top * length_ * 16;
    const Filter filter{.taps = taps_,
                        .bounds = bounds_,
                        .steps = filtered_,
                        .stride = columns_.stride,
                        .in_row = rows_.stride * length_,
                        .columns = out_columns_,
                        .rows = count};
    for (int64_t channel = 0; channel < channels_; channel += together) {
      const int64_t end = std::min(channels_, channel + together);
      if (op_.expands && inside.size() > 0) {
        const int64_t width = 2 * expansion_plan_.lanes;
        c.offset = corner - channel / 16 * c.y.block;
        region.panels = {channel / width, (end + width - 1) / width};
        direct::compute_region(c, expansion_plan_, region, work);
      } else if (!op_.expands) {
        copy_channels(args.input<float>(0), image, channel, end, inside, corner, in);
      }
      for (int64_t b = channel / 16; b < blocks_of(end); ++b) {
        const float* from = in + (b - channel / 16) * plane(band_);
        const float* weights = packed + packed_filter() + b * window() * 16;
        alignas(64) float bias[16] = {};
        std::copy_n(args.input<float>(op_.expands ? 4 : 2) + b * 16,
                    std::min<int64_t>(16, channels_ - b * 16), bias);
        if (op_.projects) {
          HWY_DYNAMIC_DISPATCH(filter_rows)
          (filter, from, weights, bias, out + b * band_ * out_columns_ * 16);
        } else if (float* y = block_of_y(args, image, first, b)) {
          HWY_DYNAMIC_DISPATCH(filter_rows)(filter, from, weights, bias, y);
        } else {
          filter_to_output(args, filter, image, first, count, b, from, weights, bias, out);
        }
      }
    }
    if (op_.projects) project(args, image, first, count, out);
  }

  /// Zeros around what the rows `inside` become in the buffer, whose first row is `top`.
  void fill_padding(const direct::Range& inside, int64_t top, float* buffer) const {
    const int64_t left = std::min(columns_.padding_begin, length_), row = length_ * 16;
    const int64_t filled = std::clamp<int64_t>(length_ - left, 0, in_columns_);
    for (int64_t b = 0; b < blocks_of(together); ++b, buffer += plane(band_)) {
      for (int64_t y = top; y < top + rows_for(band_); ++y) {
        float* to = buffer + (y - top) * row;
        if (y < inside.begin || y >= inside.end) {
          std::fill_n(to, row, 0.f);
        } else {
          std::fill_n(to, left * 16, 0.f);
          std::fill(to + (left + filled) * 16, to + row, 0.f);
        }
      }
    }
  }

  /// Copies rows of some channels of x into the buffer, where x would begin at `corner`.
  void copy_channels(const float* x, int64_t image, int64_t begin, int64_t end,
                     const direct::Range& rows, int64_t corner, float* to) const {
    const int64_t columns = std::clamp<int64_t>(length_ - columns_.padding_begin, 0, in_columns_);
    for (int64_t b = begin / 16; b < blocks_of(end); ++b, to += plane(band_)) {
      const int64_t channels = std::min<int64_t>(16, channels_ - b * 16);
      for (int64_t row = rows.begin; row < rows.end; ++row) {
        const float* from = x + image * x_.image + b * x_.block + row * x_.row;
        float* first = to + (corner + row * length_ * 16);
        if (x_.column == 16) {
          std::copy_n(from, columns * 16, first);
          continue;
        }
        for (int64_t i = 0; i < columns; ++i)
          std::copy_n(from + i * x_.column, channels, first + i * 16);
      }
    }
  }

  /// Where the rows of a block begin in y, if they lie there as in a buffer and nothing is added.
  float* block_of_y(const Args& args, int64_t image, int64_t first, int64_t b) const {
    float* y = args.output<float>(0) + image * y_.image + first * y_.row + b * y_.block;
    const bool same = y_.column == 16 && reinterpret_cast<uintptr_t>(y) % 64 == 0;
    return same && op_.filtered.residuals() == 0 ? y : nullptr;
  }

  /// Where nothing follows, row by row.
  void filter_to_output(const Args& args, Filter filter, int64_t image, int64_t first,
                        int64_t count, int64_t b, const float* from, const float* weights,
                        const float* bias, float* sums) const {
    const Target target{.steps = filtered_.data(),
                        .count = filtered_.size(),
                        .columns = out_columns_,
                        .column = y_.column,
                        .channels = std::min<int64_t>(16, channels_ - b * 16)};
    std::vector<const float*> residuals(op_.filtered.residuals());
    filter.steps = {}, filter.rows = 1;
    for (int64_t row = 0; row < count; ++row) {
      HWY_DYNAMIC_DISPATCH(filter_rows)
      (filter, from + row * filter.in_row * 16, weights, bias, sums);
      const int64_t offset = image * y_.image + (first + row) * y_.row + b * y_.block;
      for (size_t i = 0; i < residuals.size(); ++i)
        residuals[i] = args.input<float>(args.in.size() - residuals.size() + i) + offset;
      HWY_DYNAMIC_DISPATCH(finish_row)
      (target, sums, residuals.data(), args.output<float>(0) + offset);
    }
  }

  void project(const Args& args, int64_t image, int64_t first, int64_t count,
               const float* in) const {
    const auto* packed = reinterpret_cast<const float*>(args.packed);
    direct::Work work = work_of(op_.projected, packed + packed_filter() + filter_floats(),
                                args.input<float>(op_.expands ? 6 : 4),
                                args.in.last(op_.projected.residuals()), args.out[0]);
    const direct::Place& x = projection_.x;
    work.x = {.data = in, .block = x.block, .row = x.row, .column = x.column, .together = 16};
    work.taps = {0}, work.channels = channels_;
    direct::compute_region(projection_, projection_plan_,
                           {.images = {image, image + 1},
                            .rows = {first, first + count},
                            .runs = {0, projection_plan_.runs},
                            .panels = {0, projection_plan_.panels}},
                           work);
  }

  DepthwiseBlock op_;
  int64_t images_, channels_;
  int64_t in_rows_, in_columns_, out_rows_, out_columns_;
  WindowAxis rows_, columns_;
  direct::Place x_, y_;
  int64_t length_;  ///< of the buffer's rows
  std::vector<Tap> taps_;
  direct::Bounds bounds_ = *direct::bounds_of({});
  std::vector<EpilogueStep> filtered_;  ///< after the bounds
  int64_t band_, bands_, threads_;
  direct::Convolution expansion_, projection_;
  direct::Plan expansion_plan_, projection_plan_;
  int64_t packed_expansion_ = 0, packed_projection_ = 0;
  int64_t copied_ = 0;
};

}  // namespace
}  // namespace depthwise

Offer make_depthwise_block(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const auto& op = problem.op.get<DepthwiseBlock>();
  const Type &x = problem.in[0], &y = problem.out[0];
  if (x.rank() != 4 || op.geometry.groups != problem.in[op.expands ? 3 : 1].dim(0))
    return Refusal{"only images, and as many groups as channels"};
  for (const Types* types : {&problem.in, &problem.out}) {
    for (const Type& type : *types) {
      if (type.numel() == 0) return Refusal{"nothing to compute for empty values"};
    }
  }
  if (y.layout == Layout::plain || (x.layout == Layout::plain && !op.expands))
    return Refusal{"only channels-last and blocked16"};
  const size_t residuals = (op.projects ? op.projected : op.filtered).residuals();
  for (size_t i = problem.in.size() - residuals; i < problem.in.size(); ++i) {
    if (problem.in[i].layout != y.layout) return Refusal{"residuals need the output's layout"};
  }
  return std::make_unique<depthwise::BlockKernel>(problem);
}

std::vector<Layouts> depthwise_block_layouts(const Problem& problem) {
  const Type &x = problem.in[0], &y = problem.out[0];
  const auto& op = problem.op.get<DepthwiseBlock>();
  if (x.rank() != 4) return {};
  const auto preferred = [](const Type& type) {
    const Layout layout = preferred_layout(type);
    return layout == Layout::plain ? Layout::channels_last : layout;
  };
  Layouts layouts{std::vector(problem.in.size(), Layout::plain), {preferred(y)}};
  layouts.in[0] = op.expands || x.layout != Layout::plain ? x.layout : preferred(x);
  const size_t residuals = (op.projects ? op.projected : op.filtered).residuals();
  for (size_t i = problem.in.size() - residuals; i < problem.in.size(); ++i)
    layouts.in[i] = layouts.out[0];
  return {layouts};
}

}  // namespace fovea::simd
#endif
