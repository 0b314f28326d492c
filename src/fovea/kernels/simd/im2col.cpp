// Convolutions of few positions and many weights, all three passes, in f32: batches of an image or
// two, whose last layers have small maps. In training weights change with each step, so that a
// format of their own would cost more than it gains: here they are read, or their gradient is
// written, once and where they are. What each tap reads of x is copied instead (im2col), into X
// with rows for input channels and taps, as in a row of W, and columns for positions:
//     y [out, positions] = W X        of [out, in * taps] and [in * taps, positions]
//     Z [positions, in * taps] = dy^T W, whose elements are added up in dx where X has copied from
//     dW = dy X^T
// x and y may have any layout. Sums are over taps and channels, output channels, or positions, in
// order: bits do not depend on the number of threads. Error bound: as many eps as there are
// products, of their absolute values.
#include "fovea/kernels/simd/im2col.h"

#include <fmt/format.h>

#include "fovea/core/parallel.h"
#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/epilogue.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/direct.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/im2col.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/products-inl.h"

#ifndef FOVEA_KERNELS_SIMD_IM2COL
#define FOVEA_KERNELS_SIMD_IM2COL
namespace fovea::simd {
namespace {

/// A matrix: element (i, k) is at data[i * row + k * step].
struct Matrix {
  float* data;
  int64_t row, step = 1;
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// c (rows x columns) = a b, with `steps` columns of a; columns are a multiple of a vector.
void multiply_matrices(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns,
                       int64_t steps, const Matrix& c) {
  multiply({a.data, a.row, a.step}, b.data, b.row, rows, columns, steps, c.data, c.row, false);
}

int64_t floats_of_vector() { return lanes; }

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(multiply_matrices);
HWY_EXPORT(floats_of_vector);

using direct::block;
using direct::Place;

/// Output channels of a task, in groups of 6 rows that are multiplied together. Each task reads all
/// of X, so that there should be few; but enough of them for two threads to finish together.
int64_t outputs_of_task(int64_t out) { return out < 512 ? 12 : 24; }

/// X has a row for each product of an output: of more positions, it would take much memory.
constexpr int64_t most_positions = 512;

/// Those of all images.
int64_t positions_of(const Type& y) { return y.numel() / y.dim(1); }

/// Where the pixels of a value are, those of all images, for channel 0.
std::vector<int64_t> pixels_of(const Type& type, const Place& place) {
  const int64_t count = type.shape.slice(2).numel();
  std::vector<int64_t> offsets;
  for (int64_t n = 0; n < type.dim(0); ++n) {
    for (int64_t i = 0; i < count; ++i) offsets.push_back(n * place.image + i * place.column);
  }
  return offsets;
}

struct Geometry {
  Geometry(const ConvGeometry& g, const Shape& weight, const Type& x_type, const Type& y_type)
      : in(weight[1]),
        out(weight[0]),
        taps(weight.slice(2).numel()),
        x(direct::place_of(x_type)),
        y(direct::place_of(y_type)),
        x_pixels(pixels_of(x_type, x)),
        y_pixels(pixels_of(y_type, y)) {
    const int axes = weight.rank() - 2;
    const auto index = [&](const Type& type, int64_t i, int axis) {  // along an axis
      return i / type.shape.slice(axis + 3).numel() % type.dim(axis + 2);
    };
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t p = 0; p < positions(); ++p) {
        int64_t pixel = p / y_type.shape.slice(2).numel();
        for (int axis = 0; axis < axes && pixel >= 0; ++axis) {
          const auto a = static_cast<size_t>(axis);
          const int64_t k = tap / weight.slice(axis + 3).numel() % weight[axis + 2];
          const int64_t at =
              index(y_type, p, axis) * g.stride[a] + k * g.dilation[a] - g.padding_begin[a];
          const bool inside = at >= 0 && at < x_type.dim(axis + 2);
          pixel = inside ? pixel * x_type.dim(axis + 2) + at : -1;
        }
        sources.push_back(pixel < 0 ? -1 : x_pixels[static_cast<size_t>(pixel)]);
      }
    }
  }

  int64_t positions() const { return std::ssize(y_pixels); }
  int64_t products() const { return in * taps; }  ///< for each output
  /// What tap t reads for each position: where in x, or -1 for padding.
  std::span<const int64_t> sources_of(int64_t t) const {
    return std::span(sources).subspan(static_cast<size_t>(t * positions()),
                                      static_cast<size_t>(positions()));
  }

  int64_t in, out, taps;
  Place x, y;
  std::vector<int64_t> x_pixels, y_pixels;
  std::vector<int64_t> sources = {};
};

/// The step to a channel of a value.
int64_t channel_step(const Place& place, int64_t channel) {
  return channel / block * place.block + channel % block * place.channel;
}

/// The rows of X of one input channel.
void copy_rows(const Geometry& g, const float* x, int64_t channel, const Matrix& to) {
  const float* from = x + channel_step(g.x, channel);
  for (int64_t t = 0; t < g.taps; ++t) {
    float* row = to.data + (channel * g.taps + t) * to.row;
    for (const int64_t source : g.sources_of(t)) *row++ = source < 0 ? 0.f : from[source];
    std::fill(row, to.data + (channel * g.taps + t + 1) * to.row, 0.f);
  }
}

/// A block of columns of X^T, of 16 input channels.
void copy_columns(const Geometry& g, const float* x, int64_t channel, const Matrix& to) {
  for (int64_t p = 0; p < g.positions(); ++p) {
    float* row = to.data + p * to.row + channel * g.taps;
    for (int64_t t = 0; t < g.taps; ++t) {
      const int64_t source = g.sources[static_cast<size_t>(t * g.positions() + p)];
      const float* from = x + channel_step(g.x, channel) + source;
      for (int64_t c = 0; c < block; ++c)
        row[c * g.taps + t] = source < 0 ? 0.f : from[c * g.x.channel];
    }
  }
}

/// dx of 16 input channels: the sums of their columns of Z.
void add_columns(const Geometry& g, const Matrix& z, int64_t channel, float* dx) {
  float* to = dx + channel_step(g.x, channel);
  for (const int64_t pixel : g.x_pixels) {
    for (int64_t c = 0; c < block; ++c) to[pixel + c * g.x.channel] = 0;
  }
  for (int64_t t = 0; t < g.taps; ++t) {
    const float* row = z.data + t;
    for (const int64_t source : g.sources_of(t)) {
      if (source >= 0) {
        for (int64_t c = 0; c < block; ++c) to[source + c * g.x.channel] += row[c * g.taps];
      }
      row += z.row;
    }
  }
}

/// dy [out, positions] with adjacent positions.
void copy_gradient(const Geometry& g, const float* dy, float* to) {
  parallel_for(g.out, block, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const float* from = dy + channel_step(g.y, o);
      float* row = to + o * g.positions();
      for (const int64_t pixel : g.y_pixels) *row++ = from[pixel];
    }
  });
}

class Im2colKernel : public Kernel {
 public:
  explicit Im2colKernel(const Geometry& g, int64_t threads)
      : g_(g), threads_(threads), outputs_(outputs_of_task(g.out)) {}

 protected:
  static int64_t round_up(int64_t n, int64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
  }
  static size_t bytes(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }
  /// Calls f(first, count, slot) for some output channels after others.
  template <class F>
  void for_each_outputs(const F& f) const {
    parallel_chunks((g_.out + outputs_ - 1) / outputs_, [&](int64_t i, int slot) {
      f(i * outputs_, std::min(outputs_, g_.out - i * outputs_), slot);
    });
  }

  Geometry g_;
  int64_t threads_, outputs_;
};

class ForwardKernel final : public Im2colKernel {
 public:
  ForwardKernel(const Geometry& g, bool bias, int64_t threads)
      : Im2colKernel(g, threads),
        bias_(bias),
        row_(round_up(g.positions(), HWY_DYNAMIC_DISPATCH(floats_of_vector)())) {}

  size_t scratch_bytes() const override {
    return bytes((g_.products() + threads_ * outputs_) * row_);
  }

  void run(const Args& args) const override {
    const auto* x = args.input<float>(0);
    auto* w = const_cast<float*>(args.input<float>(1));
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const Matrix columns{scratch, row_};
    parallel_for(g_.in, block, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) copy_rows(g_, x, c, columns);
    });
    for_each_outputs([&](int64_t first, int64_t count, int slot) {
      const Matrix sums{scratch + (g_.products() + slot * outputs_) * row_, row_};
      HWY_DYNAMIC_DISPATCH(multiply_matrices)
      ({w + first * g_.products(), g_.products()}, columns, count, row_, g_.products(), sums);
      for (int64_t o = 0; o < count; ++o) {
        const float bias = bias_ ? args.input<float>(2)[first + o] : 0.f;
        const float* from = sums.data + o * sums.row;
        float* to = args.output<float>(0) + channel_step(g_.y, first + o);
        for (const int64_t pixel : g_.y_pixels) to[pixel] = *from++ + bias;
      }
    });
  }

 private:
  bool bias_;
  int64_t row_;  ///< of X: the positions, in entire vectors
};

class DataGradientKernel final : public Im2colKernel {
 public:
  using Im2colKernel::Im2colKernel;

  size_t scratch_bytes() const override {
    return bytes(dy_floats() + threads_ * g_.positions() * block * g_.taps);
  }

  void run(const Args& args) const override {
    auto* w = const_cast<float*>(args.input<float>(0));
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    copy_gradient(g_, args.input<float>(1), scratch);
    parallel_chunks(g_.in / block, [&](int64_t i, int slot) {
      const int64_t channel = i * block, columns = block * g_.taps;
      const Matrix z{scratch + dy_floats() + slot * g_.positions() * columns, columns};
      HWY_DYNAMIC_DISPATCH(multiply_matrices)
      ({scratch, 1, g_.positions()}, {w + channel * g_.taps, g_.products()}, g_.positions(),
       columns, g_.out, z);
      add_columns(g_, z, channel, args.output<float>(0));
    });
  }

 private:
  int64_t dy_floats() const { return round_up(g_.out * g_.positions(), block); }
};

class WeightGradientKernel final : public Im2colKernel {
 public:
  WeightGradientKernel(const Geometry& g, bool bias, int64_t threads)
      : Im2colKernel(g, threads), bias_(bias) {}

  size_t scratch_bytes() const override { return bytes(g_.positions() * (row() + g_.out)); }

  void run(const Args& args) const override {
    const auto* x = args.input<float>(0);
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const Matrix columns{scratch, row()};
    const Matrix dy{scratch + g_.positions() * row(), g_.positions()};
    copy_gradient(g_, args.input<float>(1), dy.data);
    parallel_chunks(g_.in / block,
                    [&](int64_t i, int) { copy_columns(g_, x, i * block, columns); });
    for_each_outputs([&](int64_t first, int64_t count, int) {
      const Matrix own{dy.data + first * dy.row, dy.row};
      HWY_DYNAMIC_DISPATCH(multiply_matrices)
      (own, columns, count, g_.products(), g_.positions(),
       {args.output<float>(0) + first * g_.products(), g_.products()});
      for (int64_t o = 0; bias_ && o < count; ++o) {
        float sum = 0;
        for (int64_t p = 0; p < dy.row; ++p) sum += own.data[o * dy.row + p];
        args.output<float>(1)[first + o] = sum;
      }
    });
  }

 private:
  /// Of X^T: rows that are a multiple of 4 KB apart would be in few sets of the caches.
  int64_t row() const { return g_.products() + block; }

  bool bias_;
};

}  // namespace

Offer make_im2col(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const Type &x = image_type(problem, pass.x), &y = image_type(problem, pass.y);
  if (auto refusal = unless_f32(problem)) return *refusal;
  if (pass.geometry.groups != 1) return Refusal{"no groups"};
  if (x.dim(1) % block != 0 || y.dim(1) % block != 0)
    return Refusal{"only multiples of 16 channels"};
  if (x.numel() == 0 || y.numel() == 0) return Refusal{"nothing to compute for empty values"};
  if (positions_of(y) > most_positions)
    return Refusal{fmt::format("only up to {} positions", most_positions)};
  const Geometry g(pass.geometry, weight_shape(problem), x, y);
  if (problem.op.as<ConvBackwardData>() != nullptr)
    return std::make_unique<DataGradientKernel>(g, problem.threads);
  if (const auto* weights = problem.op.as<ConvBackwardWeights>())
    return std::make_unique<WeightGradientKernel>(g, weights->bias, problem.threads);
  return with_epilogue(
      std::make_unique<ForwardKernel>(g, problem.op.get<Conv>().bias, problem.threads), problem, 0);
}

/// In multiples of oneDNN's times in training steps, where weights come from memory, measured with
/// AVX2 and two threads: gradients of weights 0.3 to 0.8, beyond 64 positions 0.85 to 0.9, the
/// others 0.5 to 0.95.
/// With AVX-512 it was not measured, and is only tried by tuning.
double im2col_price(const Problem& problem) {
  const ConvPass pass = conv_pass(problem.op);
  const Shape& weight = weight_shape(problem);
  const Type& y = image_type(problem, pass.y);
  const int64_t weights = weight.numel();
  const bool empty = y.numel() == 0, gradient = problem.op.as<ConvBackwardWeights>() != nullptr;
  double share = 1.2;
  if (!has_avx512() && !weights_fixed && !empty && pass.geometry.groups == 1) {
    const int64_t positions = positions_of(y);
    if (gradient && weights >= 1 << 15) {
      if (positions <= 128) share = positions <= 64 ? 0.5 : 0.85;
    } else if (!gradient && weights >= 1 << 17) {
      // At 64 positions oneDNN is slower in rows of 4, but not of 8, nor at 1x1.
      const bool narrow = weight.slice(2).numel() > 1 && y.dim(-1) <= 4;
      if (positions <= (narrow ? 64 : 32)) share = 0.7;
    }
  }
  return share * nominal_seconds(problem);
}

}  // namespace fovea::simd
#endif
