// Means over bins (global pooling is one bin) and their gradient, f32, any layout, 1 to 3 axes.
// Floats are added row by row in the order of memory, and the rows' sums then: results do not
// depend on the number of threads, which take whole planes. Error bound: 32 eps of the inputs'
// absolute values.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/adaptive_pool.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_ADAPTIVE_POOL
#define FOVEA_KERNELS_SIMD_ADAPTIVE_POOL
namespace fovea::simd {
namespace {

/// A bin of three axes.
struct Box {
  Bin z, y, x;
  float share() const {
    return 1 / static_cast<float>((z.end - z.begin) * (y.end - y.begin) * (x.end - x.begin));
  }
};

}  // namespace
}  // namespace fovea::simd
#endif

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// Calls body(offset of the first position) for each row of positions in a box.
template <class Body>
HWY_INLINE void for_each_row(const Windows::Axes& in, const Box& box, const Body& body) {
  for (int64_t z = box.z.begin; z < box.z.end; ++z) {
    for (int64_t y = box.y.begin; y < box.y.end; ++y) body((z * in[1] + y) * in[2] + box.x.begin);
  }
}

HWY_INLINE void box_of(const Windows::Axes& in, const Windows::Axes& out, int64_t o, Box& box) {
  box = {adaptive_bin(o / (out[1] * out[2]), in[0], out[0]),
         adaptive_bin(o / out[2] % out[1], in[1], out[1]), adaptive_bin(o % out[2], in[2], out[2])};
}

/// Means of one plane.
void bin_means(const Windows::Axes& in, const Windows::Axes& out, int64_t width, const float* x,
               float* y) {
  Box box;
  for (int64_t o = 0; o < out[0] * out[1] * out[2]; ++o, y += width) {
    box_of(in, out, o, box);
    const int64_t length = box.x.end - box.x.begin;
    if (width == 1) {
      V sums = all(0);
      for_each_row(in, box, [&](int64_t at) FOVEA_INLINE {
        for_each_vector(at, at + length, [&](int64_t i, auto where) FOVEA_INLINE {
          sums = hn::Add(sums, where.load(x + i));
        });
      });
      *y = hn::GetLane(hn::SumOfLanes(F32(), sums)) * box.share();
      continue;
    }
    for_each_vector(0, width, [&](int64_t c, auto where) FOVEA_INLINE {
      V total = all(0);
      for_each_row(in, box, [&](int64_t at) FOVEA_INLINE {
        V row = all(0);
        for (int64_t i = 0; i < length; ++i)
          row = hn::Add(row, where.load(x + (at + i) * width + c));
        total = hn::Add(total, row);
      });
      where.store(hn::Mul(total, all(box.share())), y + c);
    });
  }
}

/// The gradient of one plane: each bin hands its share of dy to all its inputs. Bins that do not
/// overlap write it, others add to it.
template <bool overlap>
HWY_INLINE void spread_bins_as(const Windows::Axes& in, const Windows::Axes& out, int64_t width,
                               const float* dy, float* dx) {
  if (overlap) std::fill_n(dx, in[0] * in[1] * in[2] * width, 0.f);
  const auto give = [](auto at, V d, float* to)
                        FOVEA_INLINE { at.store(overlap ? hn::Add(d, at.load(to)) : d, to); };
  Box box;
  for (int64_t o = 0; o < out[0] * out[1] * out[2]; ++o, dy += width) {
    box_of(in, out, o, box);
    const int64_t length = box.x.end - box.x.begin;
    const V share = all(box.share());
    for_each_row(in, box, [&](int64_t row) FOVEA_INLINE {
      if (width == 1) {
        const V d = hn::Mul(all(*dy), share);
        for_each_vector(row, row + length,
                        [&](int64_t i, auto at) FOVEA_INLINE { give(at, d, dx + i); });
        return;
      }
      for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
        const V d = hn::Mul(at.load(dy + c), share);
        for (int64_t i = row; i < row + length; ++i) give(at, d, dx + i * width + c);
      });
    });
  }
}

void spread_bins(const Windows::Axes& in, const Windows::Axes& out, int64_t width, const float* dy,
                 float* dx) {
  const bool even = in[0] % out[0] == 0 && in[1] % out[1] == 0 && in[2] % out[2] == 0;
  even ? spread_bins_as<false>(in, out, width, dy, dx)
       : spread_bins_as<true>(in, out, width, dy, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(bin_means);
HWY_EXPORT(spread_bins);

/// The problem of either direction: how a plane of the large and one of the small value look.
struct Bins {
  Bins(const Type& large, const Shape& small)
      : in(three_axes(large.shape.begin() + 2, static_cast<size_t>(large.rank()) - 2)),
        out(three_axes(small.begin() + 2, static_cast<size_t>(large.rank()) - 2)),
        planes(planes_of(large)),
        large_plane(in[0] * in[1] * in[2] * planes.width),
        small_plane(out[0] * out[1] * out[2] * planes.width) {}

  int64_t grain() const { return elementwise_grain / std::max<int64_t>(1, large_plane); }

  Windows::Axes in, out;
  Planes planes;
  int64_t large_plane, small_plane;
};

}  // namespace

Offer make_adaptive_avg_pool(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Bins b(problem.in[0], problem.out[0].shape);
  return offer([b](const Args& args) {
    parallel_for(b.planes.count, b.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        HWY_DYNAMIC_DISPATCH(bin_means)
        (b.in, b.out, b.planes.width, args.input<float>(0) + i * b.large_plane,
         args.output<float>(0) + i * b.small_plane);
      }
    });
  });
}

Offer make_adaptive_avg_pool_backward(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Bins b(problem.out[0], problem.in[0].shape);
  return offer([b](const Args& args) {
    parallel_for(b.planes.count, b.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        HWY_DYNAMIC_DISPATCH(spread_bins)
        (b.in, b.out, b.planes.width, args.input<float>(0) + i * b.small_plane,
         args.output<float>(0) + i * b.large_plane);
      }
    });
  });
}

}  // namespace fovea::simd
#endif
