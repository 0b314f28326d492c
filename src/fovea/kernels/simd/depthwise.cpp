// The gradient of a depthwise convolution's weights, f32, bf16 or f16 (the gradients f32),
// channels-last or blocked16, 1 to 3 axes: for each tap the products of dy and x, added along a row
// of outputs, then over rows and a fixed number of images in floats, in double across those:
// results do not depend on the number of threads. Error bound: 32 eps of the products' absolute
// values.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"
#include "fovea/ops/conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_DEPTHWISE
#define FOVEA_KERNELS_SIMD_DEPTHWISE
namespace fovea::simd {
namespace {

/// Channels per task; sums are ordered by tap, then channel, with those of dy alone last.
constexpr int64_t together = 16;

/// Outputs [begin, end) for which a tap lies inside the input; the first one's is at `first`.
struct Reach {
  int64_t begin, end, first;
};

struct Depthwise {
  Windows w;
  std::vector<Reach> reach;  ///< of the taps along the last axis
  int64_t width;             ///< elements from one position to the next
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT
using Taps = Windows::Taps;

/// The sum of f(i) over i from begin to end, four chains at a time.
template <class F>
HWY_INLINE V chained_sum(int64_t begin, int64_t end, const F& f) {
  V a = all(0), b = a, c = a, d = a;
  int64_t i = begin;
  for (; i + 4 <= end; i += 4) {
    a = f(a, i);
    b = f(b, i + 1);
    c = f(c, i + 2);
    d = f(d, i + 3);
  }
  for (; i < end; ++i) a = f(a, i);
  return hn::Add(hn::Add(a, b), hn::Add(c, d));
}

/// Adds the contribution of one output row to the sums of a vector of channels.
template <class T, class At>
HWY_INLINE void add_row(const Depthwise& d, int64_t row, const T* x, const T* dy, At at,
                        float* sums) {
  const Windows& w = d.w;
  const Taps z = w.taps(0, row / w.out[1]), y = w.taps(1, row % w.out[1]);
  const T* dy_row = dy + row * w.out[2] * d.width;
  const auto add = [&](V sum, int64_t tap) FOVEA_INLINE {
    float* to = sums + tap * together;
    at.store(hn::Add(at.load(to), sum), to);
  };
  const int64_t step = w.stride[2] * d.width;
  for (int64_t kz = z.begin; kz < z.end; ++kz) {
    const int64_t pz = z.first + (kz - z.begin) * w.dilation[0];
    for (int64_t ky = y.begin; ky < y.end; ++ky) {
      const int64_t py = y.first + (ky - y.begin) * w.dilation[1];
      const T* x_row = x + (pz * w.in[1] + py) * w.in[2] * d.width;
      for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
        const Reach& r = d.reach[static_cast<size_t>(kx)];
        const T* from = x_row + r.first * d.width - r.begin * step;
        add(chained_sum(r.begin, r.end,
                        [&](V sum, int64_t o) FOVEA_INLINE {
                          return hn::MulAdd(at.load(dy_row + o * d.width), at.load(from + o * step),
                                            sum);
                        }),
            (kz * w.kernel[1] + ky) * w.kernel[2] + kx);
      }
    }
  }
  add(chained_sum(0, w.out[2],
                  [&](V sum, int64_t o)
                      FOVEA_INLINE { return hn::Add(sum, at.load(dy_row + o * d.width)); }),
      volume(w.kernel));
}

/// Adds the contribution of one image to the sums of `count` channels.
void add_image(DType dtype, const Depthwise& d, const std::byte* x, const std::byte* dy,
               int64_t offset_x, int64_t offset_dy, int64_t count, float* sums) {
  with_element(dtype, [&]<class T>(T) {
    for_each_vector(0, count, [&](int64_t c, auto at) FOVEA_INLINE {
      for (int64_t row = 0; row < d.w.out[0] * d.w.out[1]; ++row)
        add_row(d, row, as<T>(x) + offset_x + c, as<T>(dy) + offset_dy + c, at, sums + c);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(add_image);

Windows windows_of_conv(const ConvBackwardWeights& op, const Shape& x, const Shape& dy) {
  const ConvGeometry& g = op.geometry;
  PoolGeometry windows{.kernel = {},
                       .stride = g.stride,
                       .padding_begin = g.padding_begin,
                       .padding_end = g.padding_end,
                       .dilation = g.dilation};
  windows.kernel.assign(op.weight.begin() + 2, op.weight.end());
  return windows_of(windows, x, dy);
}

std::vector<Reach> reach_of(const Windows& w) {
  std::vector<Reach> reach;
  const int64_t stride = w.stride[2];
  for (int64_t k = 0; k < w.kernel[2]; ++k) {
    const int64_t at = k * w.dilation[2] - w.padding[2];  // position of the first output's tap
    const int64_t begin = at < 0 ? (-at + stride - 1) / stride : 0;
    const int64_t last = w.in[2] - 1 - at;
    const int64_t end = last < 0 ? 0 : std::min(w.out[2], last / stride + 1);
    reach.push_back({begin, std::max(begin, end), begin * stride + at});
  }
  return reach;
}

std::optional<Refusal> refuse(const ConvBackwardWeights& op, const Problem& problem) {
  const Type &x = problem.in[0], &dy = problem.in[1];
  if (!is_simd_float(x.dtype) || dy.dtype != x.dtype || problem.out[0].dtype != DType::f32)
    return Refusal{"only f32, or bf16 or f16 with f32 gradients"};
  const int64_t channels = x.dim(1);
  if (op.geometry.groups != channels || op.weight[0] != channels)
    return Refusal{"only depthwise convolutions"};
  if (x.layout == Layout::plain || x.layout != dy.layout)
    return Refusal{"only channels-last and blocked16"};
  return std::nullopt;
}

/// The problem split into tasks: blocks of channels, and chunks of images whose sums are floats.
struct Tasks {
  Tasks(const Type& x, const Windows& w)
      : images(x.dim(0)),
        channels(x.dim(1)),
        taps(volume(w.kernel)),
        blocks((channels + together - 1) / together),
        chunk(std::max<int64_t>(1, (images + 31) / 32)),
        chunks((images + chunk - 1) / chunk),
        blocked(x.layout == Layout::blocked16) {}

  int64_t sums() const { return (taps + 1) * together; }  ///< of one task
  /// The first element of a block of channels, where planes have `plane` elements.
  int64_t offset(int64_t image, int64_t block, int64_t plane) const {
    return blocked ? (image * blocks + block) * plane : image * plane + block * together;
  }
  /// The sum of all chunks for a channel and a tap.
  double join(const float* all, int64_t channel, int64_t tap) const {
    double total = 0;
    for (int64_t i = 0; i < chunks; ++i)
      total += static_cast<double>(
          all[(i * blocks + channel / together) * sums() + tap * together + channel % together]);
    return total;
  }

  int64_t images, channels, taps, blocks, chunk, chunks;
  bool blocked;
};

}  // namespace

Offer make_depthwise_backward_weights(const Problem& problem) {
  const ConvBackwardWeights& op = problem.op.get<ConvBackwardWeights>();
  if (auto refusal = refuse(op, problem)) return *refusal;
  const Type &x = problem.in[0], &dy = problem.in[1];
  const Windows w = windows_of_conv(op, x.shape, dy.shape);
  const Depthwise d{w, reach_of(w), planes_of(x).width};
  const Tasks t(x, w);
  const auto run = [d, t, dtype = x.dtype, bias = op.bias](const Args& args) {
    auto* sums = reinterpret_cast<float*>(args.scratch);
    parallel_for(t.chunks * t.blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t block = i % t.blocks, first = i / t.blocks * t.chunk;
        const int64_t count = std::min(together, t.channels - block * together);
        std::fill_n(sums + i * t.sums(), t.sums(), 0.f);
        for (int64_t image = first; image < std::min(t.images, first + t.chunk); ++image) {
          HWY_DYNAMIC_DISPATCH(add_image)
          (dtype, d, args.in[0], args.in[1], t.offset(image, block, volume(d.w.in) * d.width),
           t.offset(image, block, volume(d.w.out) * d.width), count, sums + i * t.sums());
        }
      }
    });
    const int64_t grain = elementwise_grain / (t.taps * (t.chunks + 1)) + 1;
    parallel_for(t.channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        for (int64_t tap = 0; tap < t.taps; ++tap)
          args.output<float>(0)[c * t.taps + tap] = static_cast<float>(t.join(sums, c, tap));
        if (bias) args.output<float>(1)[c] = static_cast<float>(t.join(sums, c, t.taps));
      }
    });
  };
  return offer(run, static_cast<size_t>(checked_product(t.chunks * t.blocks, t.sums() * 4)));
}

}  // namespace fovea::simd
#endif
