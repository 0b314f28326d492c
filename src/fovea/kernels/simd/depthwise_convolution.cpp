// Depthwise convolution and its gradient with respect to the data, f32, bf16 or f16, channels-last
// or blocked16, 1 to 3 axes, any stride, dilation and padding: each output is a sum in floats over
// the taps in order, so results do not depend on the number of threads. Images of floats in blocks
// of 16 channels are read where they are, blocked ones if a vector is a block, channels-last ones a
// few positions at a time, with all channels (depthwise_in_place.cpp); others are copied, rows at a
// time, into buffers with zeros around them. Error bound: 2 eps for each tap of the products'
// absolute values, and that of the epilogue's activations.
#include <hwy/cache_control.h>

#include <cmath>

#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/depthwise_bands.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/depthwise_convolution.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/depthwise-inl.h"
#include "fovea/kernels/simd/depthwise_finish-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::depthwise::HWY_NAMESPACE;  // NOLINT

/// The buffered rows of one input plane, and the weights for it; null: it contributes nothing.
struct Plane {
  const float *in, *weights;
};

/// Adds to the sums of a band what one input plane contributes.
void add_plane(const Run& r, const Band& band, const Plane& plane, const Ends& ends, float* out) {
  const Axis &row = r.g.axes[1], &column = r.g.axes[2];
  const int64_t length = r.g.row();
  for (int64_t m = band.begin; m < band.end; ++m) {
    const float* from = plane.in + (m - band.begin) * row.in_step * length * lanes;
    for (int64_t p = 0; p < row.out_step && m * row.out_step + p < row.out; ++p) {
      float* to = out + ((m - band.begin) * row.out_step + p) * column.out * lanes;
      for (int64_t q = 0; q < std::min(column.out_step, column.out); ++q) {
        std::span<const Tap> taps = r.taps[static_cast<size_t>(p)][static_cast<size_t>(q)];
        if (plane.weights == nullptr) taps = {};
        const int64_t count = (column.out - q + column.out_step - 1) / column.out_step;
        correlate_row<lanes>(from, column.in_step, taps, plane.weights, count, ends, to + q * lanes,
                             column.out_step);
      }
    }
  }
}

/// Of rows that are copied: `in` and `out` are the buffers.
void compute_band(const Run& r, const Band& band, float* in, float* out) {
  const Geometry& g = r.g;
  const auto& [depth, row, column] = g.axes;
  const int64_t rows = row.reach(band.end - band.begin), length = g.row();
  const int64_t begin = band.begin * row.out_step;
  const int64_t positions = (std::min(row.out, band.end * row.out_step) - begin) * column.out;
  const int64_t m = band.plane / depth.out_step;
  with_element(r.dtype, [&]<class T>(T) {
    for_each_channel(g, band.block, [&](int64_t c, auto at) FOVEA_INLINE {
      HWY_ALIGN float start[lanes];
      hn::Store(r.bias != nullptr ? at.load(r.bias + c) : all(0), F32(), start);
      const std::vector<Axis::Tap>& planes =
          depth.phases[static_cast<size_t>(band.plane % depth.out_step)];
      const auto inside = [&](const Axis::Tap& z) {
        const int64_t from = m * depth.in_step + z.at;
        return from >= 0 && from < depth.in;
      };
      auto left = std::ranges::count_if(planes, inside);
      Ends ends{start, r.bounds};
      if (left == 0) add_plane(r, band, {in, nullptr}, ends, out);
      for (const Axis::Tap& z : planes) {
        if (!inside(z)) continue;
        const T* plane = as<T>(r.x) + g.offset(band.image, c, g.inputs()) +
                         (m * depth.in_step + z.at) * row.in * column.in * g.width();
        copy_rows(plane, row, column, g.width(), band.begin * row.in_step + row.first, rows,
                  column.first, length, at, in);
        const int64_t weights = c / 16 * g.taps() + z.k * g.kernel[1] * g.kernel[2];
        ends.bounds = --left == 0 ? r.bounds : direct::Bounds{-HUGE_VALF, HUGE_VALF};
        add_plane(r, band, {in, r.weights + weights * 16 + c % 16}, ends, out);
        ends.start = nullptr;
      }
      const int64_t first = (band.plane * row.out + begin) * column.out;
      finish_rows<T>(r, g.offset(band.image, c, g.outputs()) + first * g.width(), positions, at,
                     out);
    });
  });
  if (r.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::depthwise
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::depthwise {
namespace {

HWY_EXPORT(compute_band);

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Problem& problem, const Geometry& g, size_t weight)
      : g_(g), weight_(weight), dtype_(problem.out[0].dtype), threads_(problem.threads) {
    if (const auto* op = problem.op.as<Conv>()) {
      bias_ = op->bias;
      steps_ = op->epilogue.steps();
      if (const auto bounds = direct::bounds_of(steps_)) {
        bounds_ = *bounds;
        steps_.clear();
      }
      residuals_ = op->epilogue.residuals();
    }
    for (size_t p = 0; p < g.axes[1].phases.size(); ++p) {
      taps_.emplace_back();
      for (size_t q = 0; q < g.axes[2].phases.size(); ++q)
        taps_.back().push_back(g.plane_taps(p, q));
    }
    if (g.blocked && dtype_ == DType::f32 && g.axes[0].in == 1 && g.axes[0].out == 1 &&
        g.kernel[0] == 1 && has_avx512())
      in_place_.emplace(g);
    const Axis& row = g.axes[1];
    band_ = g.band();
    blocks_ = g.blocks();
    if (g.reads_pixels(dtype_) && steps_.empty()) {
      in_place_.emplace(g);
      pixels_ = true, blocks_ = 1;
      const int64_t bands = std::clamp<int64_t>(8 * threads_ / g.images, 1, row.steps());
      band_ = (row.steps() + bands - 1) / bands;
    }
    bands_ = (row.steps() + band_ - 1) / band_;
    if (pixels_) return;
    in_floats_ = row.reach(band_) * g.row() * 16;
    out_floats_ = band_ * row.out_step * g.axes[2].out * 16;
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(
        checked_product(threads_ * (in_floats_ + out_floats_), sizeof(float)));
  }
  std::vector<int> packed_inputs() const override { return {static_cast<int>(weight_)}; }
  size_t packed_bytes() const override {
    return static_cast<size_t>(g_.blocks() * g_.taps() * 16) * sizeof(float);
  }
  std::string packed_form() const override { return "depthwise"; }
  void pack(std::span<const std::byte* const> in, std::byte* packed) const override {
    pack_weights(dtype_, g_.channels, g_.taps(), in[weight_], reinterpret_cast<float*>(packed));
  }

  bool in_place(size_t input, size_t) const override {  // of a residual
    return residuals_ > 0 && input >= 2u + bias_;
  }

  void run(const Args& args) const override {
    const Run run{
        .g = g_,
        .taps = taps_,
        .bounds = bounds_,
        .steps = steps_,
        .dtype = dtype_,
        .x = args.in[1 - weight_],
        .weights = reinterpret_cast<const float*>(args.packed),
        .bias = bias_ ? args.input<float>(2) : nullptr,
        .residuals = args.in.last(residuals_),
        .y = args.out[0],
        .stream = streams(args.out[0]),
        .inside = pixels_ || (aligned(args.in[1 - weight_]) && aligned(args.out[0]) && in_place_)
                      ? &*in_place_
                      : nullptr};
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const int64_t tasks = g_.images * blocks_ * g_.axes[0].out * bands_;
    const int64_t group = std::clamp<int64_t>(tasks / (16 * threads_), 1, 16);
    parallel_chunks((tasks + group - 1) / group, [&](int64_t chunk, int slot) {
      float* own = scratch + slot * (in_floats_ + out_floats_);
      for (int64_t i = chunk * group; i < std::min(tasks, (chunk + 1) * group); ++i) {
        if (run.inside != nullptr) {
          compute_in_place(run, band_of(i), own + in_floats_);
        } else {
          HWY_DYNAMIC_DISPATCH(compute_band)(run, band_of(i), own, own + in_floats_);
        }
      }
    });
  }

 private:
  /// Neighbouring tasks read neighbouring memory.
  Band band_of(int64_t task) const {
    const int64_t planes = g_.axes[0].out, blocks = blocks_;
    const auto take = [&](int64_t size) {
      const int64_t index = task % size;
      task /= size;
      return index;
    };
    Band b{};
    if (!g_.blocked) b.block = take(blocks);
    b.begin = take(bands_) * band_;
    b.end = std::min(b.begin + band_, g_.axes[1].steps());
    b.plane = take(planes);
    if (g_.blocked) b.block = take(blocks);
    b.image = task;
    return b;
  }

  bool streams(const std::byte* y) const {
    constexpr int64_t large = int64_t{1} << 20;  // elements
    return dtype_ == DType::f32 && g_.images * g_.channels * g_.outputs() > large &&
           g_.channels % 16 == 0 && aligned(y) && (pixels_ || has_avx512());
  }
  static bool aligned(const std::byte* data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }

  Geometry g_;
  size_t weight_;  ///< the input
  DType dtype_;
  int64_t threads_;
  bool bias_ = false;
  direct::Bounds bounds_ = *direct::bounds_of({});
  std::vector<EpilogueStep> steps_;  ///< after the bounds
  size_t residuals_ = 0;
  std::vector<std::vector<std::vector<Tap>>> taps_;
  std::optional<Inside> in_place_;
  bool pixels_ = false;  ///< all channels are computed where they are
  int64_t blocks_;       ///< of channels, computed apart
  int64_t band_, bands_, in_floats_ = 0, out_floats_ = 0;
};

}  // namespace

Offer make_convolution(const Problem& problem) {
  if (const auto* op = problem.op.as<Conv>()) {
    const Type &x = problem.in[0], &weight = problem.in[1], &y = problem.out[0];
    if (std::string why = refuse(op->geometry, weight.shape, x, y); !why.empty())
      return Refusal{why};
    return std::make_unique<ConvolutionKernel>(
        problem, geometry_of(op->geometry, weight.shape, x, y, false), 1);
  }
  const ConvGeometry& g = problem.op.get<ConvBackwardData>().geometry;
  const Type &weight = problem.in[0], &y = problem.in[1], &x = problem.out[0];
  if (std::string why = refuse(g, weight.shape, x, y); !why.empty()) return Refusal{why};
  return std::make_unique<ConvolutionKernel>(problem, geometry_of(g, weight.shape, x, y, true), 0);
}

}  // namespace fovea::simd::depthwise
#endif
