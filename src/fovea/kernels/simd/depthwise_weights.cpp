// The gradient of a depthwise convolution's weights, f32, bf16 or f16 (the gradients f32),
// channels-last or blocked16, 1 to 3 axes: for each tap the products of dy and x, added in floats
// over a fixed number of images, or of few images some rows, in double across those: results do not
// depend on the number of threads. A vector of channels is copied into buffers, or channels-last
// floats are read where they are. Error bound: 32 eps of the products' absolute values.
#include "fovea/core/array.h"
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/depthwise.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/depthwise_weights.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/depthwise-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DEPTHWISE_WEIGHTS
#define FOVEA_KERNELS_SIMD_DEPTHWISE_WEIGHTS
namespace fovea::simd::depthwise {
namespace {

/// Taps whose sums are in registers together.
constexpr int64_t taps_together = 10;

/// Whether neighbouring outputs read neighbouring inputs.
bool is_adjacent(const Geometry& g) { return g.axes[1].in_step == 1 && g.axes[2].in_step == 1; }

/// Whether x and dy are read where they are. From images of few columns, much of what the taps read
/// is padding; and what many taps read again and again is closer in a buffer.
bool reads_in_place(const Geometry& g, DType dtype) {
  return g.reads_pixels(dtype) && g.axes[2].out >= 4 * g.kernel[2] &&
         !(is_adjacent(g) && g.taps() > taps_together);
}

/// The sums of one block of 16 channels for some images, ordered by tap, then channel, with those
/// of dy alone last; or of all blocks.
struct Sums {
  const Geometry& g;
  std::span<const Tap> taps;  ///< of a plane
  DType dtype;
  const std::byte *x, *dy;
  bool bias;
  int64_t block;
  float* sums;
  int64_t block_sums;  ///< of one block
};

}  // namespace
}  // namespace fovea::simd::depthwise
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::depthwise::HWY_NAMESPACE;  // NOLINT

/// Rows of x and dy, in buffers or where they are. Steps are in floats.
struct Rows {
  const float *x = nullptr, *dy = nullptr;
  int64_t rows = 0, columns = 0;  ///< of dy
  int64_t x_row, dy_row;          ///< from one row of dy to the next
  int64_t x_step, dy_step;
  int64_t position;  ///< from position to position of x
};

/// Adds the products of `n` taps to their sums, which stay in registers. fixed_step: 0, or that of
/// a buffer, of a vector for each position. `fetches`: the next columns of dy, and of x at the last
/// tap, are fetched into the L2 cache.
template <int n, int fixed_step, bool fetches>
HWY_INLINE void add_products(const Rows& r, const Tap* taps, int64_t channel, float* sums) {
  const int64_t x_step = fixed_step > 0 ? fixed_step * lanes : r.x_step;
  const int64_t dy_step = fixed_step > 0 ? lanes : r.dy_step;
  V sum[n];
  const float* x[n];
#pragma GCC unroll 10
  for (int i = 0; i < n; ++i) {
    sum[i] = hn::LoadU(F32(), sums + taps[i].weight * 16);
    x[i] = r.x + taps[i].position * r.position + channel;
  }
  for (int64_t row = 0; row < r.rows; ++row) {
    const float* dy = r.dy + row * r.dy_row + channel;
    for (int64_t j = 0; j < r.columns; ++j, dy += dy_step) {
      const V gradient = hn::LoadU(F32(), dy);
#pragma GCC unroll 10
      for (int i = 0; i < n; ++i)
        sum[i] = hn::MulAdd(gradient, hn::LoadU(F32(), x[i] + j * x_step), sum[i]);
      if constexpr (fetches) {
        __builtin_prefetch(dy + r.columns * dy_step, 0, 2);
        __builtin_prefetch(x[n - 1] + (j + r.columns) * x_step, 0, 2);
      }
    }
#pragma GCC unroll 10
    for (int i = 0; i < n; ++i) x[i] += r.x_row;
  }
#pragma GCC unroll 10
  for (int i = 0; i < n; ++i) hn::StoreU(sum[i], F32(), sums + taps[i].weight * 16);
}

/// All taps, in nearly equal groups, of `channels` adjacent channels, whose blocks' sums are
/// `block_sums` apart.
template <int fixed_step, bool fetches = false>
HWY_NOINLINE void add_taps(const Rows& r, std::span<const Tap> taps, int64_t channels,
                           int64_t block_sums, float* sums) {
  const auto count = std::ssize(taps);
  const int64_t parts = (count + taps_together - 1) / taps_together;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = count * part / parts, size = count * (part + 1) / parts - begin;
    with_constant<taps_together>(size, [&]<int n>(std::integral_constant<int, n>) FOVEA_INLINE {
      for (int64_t c = 0; c < channels; c += lanes)
        add_products<n, fixed_step, fetches>(r, taps.data() + begin, c,
                                             sums + c / 16 * block_sums + c % 16);
    });
  }
}

void add_bias(const Rows& r, int64_t channels, int64_t block_sums, float* sums) {
  for (int64_t c = 0; c < channels; c += lanes) {
    float* own = sums + c / 16 * block_sums + c % 16;
    V sum = hn::LoadU(F32(), own);
    for (int64_t row = 0; row < r.rows; ++row) {
      const float* dy = r.dy + row * r.dy_row + c;
      for (int64_t j = 0; j < r.columns; ++j)
        sum = hn::Add(sum, hn::LoadU(F32(), dy + j * r.dy_step));
    }
    hn::StoreU(sum, F32(), own);
  }
}

/// Adds the products of the band [begin, end) of rows of plane `z` of dy.
template <class T, class At>
HWY_INLINE void add_band(const Sums& s, const T* x, const T* dy, int64_t z, int64_t begin,
                         int64_t end, At at, float* x_buffer, float* dy_buffer, float* sums) {
  const Geometry& g = s.g;
  const auto& [depth, row, column] = g.axes;
  const Rows rows{.x = x_buffer,
                  .dy = dy_buffer,
                  .rows = end - begin,
                  .columns = column.out,
                  .x_row = row.in_step * g.row() * lanes,
                  .dy_row = column.out * lanes,
                  .x_step = column.in_step * lanes,
                  .dy_step = lanes,
                  .position = lanes};
  const Axis dy_row{.in = row.out, .phases = {}}, dy_column{.in = column.out, .phases = {}};
  copy_rows(dy + z * row.out * column.out * g.width(), dy_row, dy_column, g.width(), begin,
            rows.rows, 0, rows.columns, at, dy_buffer);
  for (const Axis::Tap& tap : depth.phases[0]) {
    const int64_t from = z * depth.in_step + tap.at;
    if (from < 0 || from >= depth.in) continue;
    copy_rows(x + from * row.in * column.in * g.width(), row, column, g.width(),
              begin * row.in_step + row.first, row.reach(rows.rows), column.first, g.row(), at,
              x_buffer);
    const auto add = column.in_step == 1   ? add_taps<1>
                     : column.in_step == 2 ? add_taps<2>
                                           : add_taps<0>;
    add(rows, s.taps, lanes, 0, sums + tap.k * g.kernel[1] * g.kernel[2] * 16);
  }
  if (s.bias) add_bias(rows, lanes, 0, sums + g.taps() * 16);
}

void add_images(const Sums& s, int64_t first, int64_t last, float* x_buffer, float* dy_buffer) {
  const Geometry& g = s.g;
  const int64_t band = g.band();
  with_element(s.dtype, [&]<class T>(T) {
    for_each_channel(g, s.block, [&](int64_t c, auto at) FOVEA_INLINE {
      for (int64_t image = first; image < last; ++image) {
        const T* x = as<T>(s.x) + g.offset(image, c, g.inputs());
        const T* dy = as<T>(s.dy) + g.offset(image, c, g.outputs());
        for (int64_t z = 0; z < g.axes[0].out; ++z) {
          for (int64_t begin = 0; begin < g.axes[1].out; begin += band) {
            add_band(s, x, dy, z, begin, std::min(begin + band, g.axes[1].out), at, x_buffer,
                     dy_buffer, s.sums + c % 16);
          }
        }
      }
    });
  });
}

/// Adds the products of rows [begin, end) of dy of images [first, last), where they are: a few
/// positions at a time, all channels after each other, so that memory is read once and in order.
void add_pixels(const Sums& s, const Inside& inside, int64_t first, int64_t last, int64_t begin,
                int64_t end) {
  const Geometry& g = s.g;
  const Axis &row = g.axes[1], &column = g.axes[2];
  // Without strides all that is new is at the last tap; with them, fetching ahead did not pay.
  const bool adjacent = is_adjacent(g);
  const auto add = adjacent ? add_taps<0, true> : add_taps<0>;
  const int64_t pixels = adjacent ? 16 : 32, together = std::max<int64_t>(1, 128 / column.out);
  Rows r{.x_row = row.in_step * column.in * g.channels,
         .dy_row = column.out * g.channels,
         .x_step = column.in_step * g.channels,
         .dy_step = g.channels,
         .position = g.channels};
  for (int64_t image = first; image < last; ++image) {
    const float* x = as<float>(s.x) + g.offset(image, 0, g.inputs());
    const float* dy = as<float>(s.dy) + g.offset(image, 0, g.outputs());
    auto row_taps = inside.taps.begin();
    for (const Segment& rows : inside.rows[0]) {
      const int64_t last_row = std::min(rows.end, end);
      for (int64_t m = std::max(rows.begin, begin); m < last_row; m += together) {
        r.rows = std::min(together, last_row - m);
        auto taps = row_taps;
        for (const Segment& columns : inside.columns[0]) {
          for (int64_t q = columns.begin; q < columns.end; q += pixels) {
            r.columns = std::min(pixels, columns.end - q);
            r.x = x + m * r.x_row + q * r.x_step;
            r.dy = dy + m * r.dy_row + q * r.dy_step;
            add(r, *taps, g.channels, s.block_sums, s.sums);
            if (s.bias) add_bias(r, g.channels, s.block_sums, s.sums + g.taps() * 16);
          }
          ++taps;
        }
      }
      row_taps += std::ssize(inside.columns[0]);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::depthwise
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::depthwise {
namespace {

HWY_EXPORT(add_images);
HWY_EXPORT(add_pixels);

class WeightGradientKernel final : public Kernel {
 public:
  WeightGradientKernel(const Problem& problem, const Geometry& g)
      : g_(g),
        taps_(g.plane_taps(0, 0)),
        dtype_(problem.in[0].dtype),
        bias_(problem.op.get<ConvBackwardWeights>().bias),
        threads_(problem.threads),
        together_((g.images + 31) / 32),
        groups_((g.images + together_ - 1) / together_),
        chunks_(groups_),
        sums_((g.taps() + 1) * 16),
        x_floats_(g.axes[1].reach(g.band()) * g.row() * 16),
        dy_floats_(g.band() * g.axes[2].out * 16) {
    if (!reads_in_place(g, dtype_)) return;
    inside_.emplace(g);
    x_floats_ = dy_floats_ = 0;
    chunks_ *= std::clamp<int64_t>(16 / groups_, 1, g.axes[1].out);
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(checked_product(
        chunks_ * g_.blocks() * sums_ + threads_ * (x_floats_ + dy_floats_), sizeof(float)));
  }

  void run(const Args& args) const override {
    auto* sums = reinterpret_cast<float*>(args.scratch);
    float* buffers = sums + chunks_ * g_.blocks() * sums_;
    inside_ ? add_pixels(args, sums) : add_images(args, sums, buffers);
    const int64_t taps = g_.taps();
    const int64_t grain = elementwise_grain / (taps * (chunks_ + 1)) + 1;
    parallel_for(g_.channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        for (int64_t tap = 0; tap < taps; ++tap)
          args.output<float>(0)[c * taps + tap] = joined(sums, c, tap);
        if (bias_) args.output<float>(1)[c] = joined(sums, c, taps);
      }
    });
  }

 private:
  /// The sums of each chunk of images and block of channels.
  void add_images(const Args& args, float* sums, float* buffers) const {
    parallel_chunks(chunks_ * g_.blocks(), [&](int64_t i, int slot) {
      const Sums part{g_,    taps_,           dtype_,           args.in[0], args.in[1],
                      bias_, i % g_.blocks(), sums + i * sums_, sums_};
      std::fill_n(part.sums, sums_, 0.f);
      const int64_t first = i / g_.blocks() * together_;
      float* own = buffers + slot * (x_floats_ + dy_floats_);
      HWY_DYNAMIC_DISPATCH(add_images)
      (part, first, std::min(g_.images, first + together_), own, own + x_floats_);
    });
  }

  /// Of each chunk of images and, of few images, rows, the sums of all blocks.
  void add_pixels(const Args& args, float* sums) const {
    const int64_t pieces = chunks_ / groups_, rows = g_.axes[1].out, floats = g_.blocks() * sums_;
    parallel_chunks(chunks_, [&](int64_t i, int) {
      const Sums part{g_,   taps_, dtype_, args.in[0], args.in[1], bias_, 0, sums + i * floats,
                      sums_};
      std::fill_n(part.sums, floats, 0.f);
      const int64_t first = i / pieces * together_, piece = i % pieces;
      HWY_DYNAMIC_DISPATCH(add_pixels)
      (part, *inside_, first, std::min(g_.images, first + together_), rows * piece / pieces,
       rows * (piece + 1) / pieces);
    });
  }

  /// The sum over all chunks for a channel and a tap.
  float joined(const float* all, int64_t channel, int64_t tap) const {
    double total = 0;
    for (int64_t i = 0; i < chunks_; ++i)
      total += static_cast<double>(
          all[(i * g_.blocks() + channel / 16) * sums_ + tap * 16 + channel % 16]);
    return static_cast<float>(total);
  }

  Geometry g_;
  std::vector<Tap> taps_;
  DType dtype_;
  bool bias_;
  int64_t threads_;
  std::optional<Inside> inside_;
  int64_t together_, groups_, chunks_;  ///< images in a group, how many there are, and chunks
  int64_t sums_;                        ///< of one chunk and block
  int64_t x_floats_, dy_floats_;
};

}  // namespace

}  // namespace fovea::simd::depthwise

namespace fovea::simd {

Offer make_depthwise_backward_weights(const Problem& problem) {
  const auto& op = problem.op.get<ConvBackwardWeights>();
  const Type &x = problem.in[0], &dy = problem.in[1];
  if (std::string why = depthwise::refuse(op.geometry, op.weight, x, dy); !why.empty())
    return Refusal{why};
  if (problem.out[0].dtype != DType::f32) return Refusal{"only f32 gradients"};
  return std::make_unique<depthwise::WeightGradientKernel>(
      problem, depthwise::geometry_of(op.geometry, op.weight, x, dy, false));
}

}  // namespace fovea::simd
#endif
