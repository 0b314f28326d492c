// Max pooling and its gradient, f32, any layout, 1 to 3 axes. Exact (the gradient: one rounding for
// each window that shares an element). Vectors lie along channels, or in plain layout along the
// last axis where its stride is 1 or 2. The gradient finds each window's maximum again by comparing
// x with y, in row-major order, so ties go to the first; threads take whole planes.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/max_pool.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT
using Taps = Windows::Taps;

/// The larger of the two, NaN before all; the first of equal ones.
template <class T>
HWY_INLINE T larger(T best, T x) {
  if constexpr (std::is_same_v<T, float>) {
    return !(x <= best) && best == best ? x : best;
  } else {
    return hn::IfThenElse(hn::And(hn::Not(hn::Le(x, best)), hn::Eq(best, best)), x, best);
  }
}

/// Calls body(offset) for each position of a window, in row-major order.
template <class Body>
HWY_INLINE void for_each_tap(const Windows& w, const Taps& z, const Taps& y, const Taps& x,
                             const Body& body) {
  int64_t pz = z.first;
  for (int64_t kz = z.begin; kz < z.end; ++kz, pz += w.dilation[0]) {
    int64_t py = y.first;
    for (int64_t ky = y.begin; ky < y.end; ++ky, py += w.dilation[1]) {
      int64_t at = (pz * w.in[1] + py) * w.in[2] + x.first;
      for (int64_t kx = x.begin; kx < x.end; ++kx, at += w.dilation[2]) body(at);
    }
  }
}

/// One output row; channels side by side.
void max_row_of_channels(const Windows& w, const Taps& tz, const Taps& ty, int64_t width,
                         const float* x, float* y) {
  for (int64_t ox = 0; ox < w.out[2]; ++ox, y += width) {
    const Taps tx = w.taps(2, ox);
    const int64_t origin = (tz.first * w.in[1] + ty.first) * w.in[2] + tx.first;
    for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
      V best = at.load(x + origin * width + c);
      for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
        best = larger(best, at.load(x + p * width + c));
      });
      at.store(best, y + c);
    });
  }
}

/// Outputs [ox, ...) of a row in plain layout, as many as whole vectors of D without a window over
/// the edge; the number of the next one.
template <class D>
HWY_INLINE int64_t max_vectors(D d, const Windows& w, const Taps& tz, const Taps& ty,
                               const float* x, float* y, int64_t ox) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stride = w.stride[2], kernel = w.kernel[2];
  if (w.dilation[2] != 1 || stride > 2) return ox;
  const int64_t read = stride == 1 ? kernel - 1 + n : (kernel - 1) / 2 * 2 + 2 * n;
  for (; ox + n <= w.out[2]; ox += n) {
    const int64_t start = ox * stride - w.padding[2];
    if (start < 0 || start + read > w.in[2]) break;
    const Taps row{0, 1, start};
    hn::Vec<D> best = hn::Set(d, -std::numeric_limits<float>::infinity());
    for_each_tap(w, tz, ty, row, [&](int64_t at) FOVEA_INLINE {
      for (int64_t k = 0; k < kernel; k += stride) {
        hn::Vec<D> even, odd;
        if (stride == 1) {
          best = larger(best, hn::LoadU(d, x + at + k));
        } else {
          hn::LoadInterleaved2(d, x + at + k, even, odd);
          best = larger(best, even);
          if (k + 1 < kernel) best = larger(best, odd);
        }
      }
    });
    hn::StoreU(best, d, y + ox);
  }
  return ox;
}

/// One output row in plain layout.
void max_row_of_positions(const Windows& w, const Taps& tz, const Taps& ty, const float* x,
                          float* y) {
  for (int64_t ox = 0; ox < w.out[2];) {
    ox = max_vectors(F32(), w, tz, ty, x, y, ox);
    ox = max_vectors(hn::CappedTag<float, 4>(), w, tz, ty, x, y, ox);
    if (ox == w.out[2]) break;
    const Taps tx = w.taps(2, ox);
    float best = x[(tz.first * w.in[1] + ty.first) * w.in[2] + tx.first];
    for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE { best = larger(best, x[p]); });
    y[ox++] = best;
  }
}

/// Row `row` of the out[0] * out[1] output rows of a plane.
void max_row(const Windows& w, int64_t width, int64_t row, const float* x, float* y) {
  const Taps tz = w.taps(0, row / w.out[1]), ty = w.taps(1, row % w.out[1]);
  y += row * w.out[2] * width;
  width == 1 ? max_row_of_positions(w, tz, ty, x, y) : max_row_of_channels(w, tz, ty, width, x, y);
}

/// Where x is the maximum y that was not found yet; marks it as found.
template <class D, class M>
HWY_INLINE M find(D, M& found, hn::Vec<D> x, hn::Vec<D> y) {
  const M hit = hn::AndNot(found, hn::Or(hn::Eq(x, y), hn::And(hn::IsNaN(x), hn::IsNaN(y))));
  found = hn::Or(found, hit);
  return hit;
}

/// The gradient of one window, channels side by side. Where windows tile the input each element is
/// written once, else added to.
template <bool tiles>
HWY_INLINE void scatter_channels(const Windows& w, const Taps& tz, const Taps& ty, const Taps& tx,
                                 int64_t width, const float* x, const float* y, const float* dy,
                                 float* dx) {
  for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
    const V maximum = at.load(y + c), gradient = at.load(dy + c);
    auto found = hn::FirstN(F32(), 0);
    for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
      const auto hit = find(F32(), found, at.load(x + p * width + c), maximum);
      V d = hn::IfThenElseZero(hit, gradient);
      if constexpr (!tiles) d = hn::Add(d, at.load(dx + p * width + c));
      at.store(d, dx + p * width + c);
    });
  });
}

/// The gradients of windows [ox, ...) of a row that tile the input two by two along the last axis,
/// in plain layout, as many as whole vectors of D; the number of the next one.
template <class D>
HWY_INLINE int64_t scatter_pairs(D d, const Windows& w, const Taps& tz, const Taps& ty,
                                 const float* x, const float* y, const float* dy, float* dx,
                                 int64_t ox) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  for (; ox + n <= w.out[2]; ox += n) {
    const auto maximum = hn::LoadU(d, y + ox), gradient = hn::LoadU(d, dy + ox);
    auto found = hn::FirstN(d, 0);
    for_each_tap(w, tz, ty, Taps{0, 1, 2 * ox}, [&](int64_t p) FOVEA_INLINE {
      hn::Vec<D> even, odd;
      hn::LoadInterleaved2(d, x + p, even, odd);
      even = hn::IfThenElseZero(find(d, found, even, maximum), gradient);
      odd = hn::IfThenElseZero(find(d, found, odd, maximum), gradient);
      hn::StoreInterleaved2(even, odd, d, dx + p);
    });
  }
  return ox;
}

/// The gradient of one window in plain layout.
HWY_INLINE void scatter_position(const Windows& w, const Taps& tz, const Taps& ty, const Taps& tx,
                                 const float* x, float y, float dy, float* dx, bool tiles) {
  bool found = false;
  for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
    const bool hit = !found && (x[p] == y || (x[p] != x[p] && y != y));
    found = found || hit;
    dx[p] = (tiles ? 0.f : dx[p]) + (hit ? dy : 0.f);
  });
}

/// The gradient of a whole plane.
void scatter(const Windows& w, int64_t width, const float* x, const float* y, const float* dy,
             float* dx) {
  const bool tiles = w.tiles();
  if (!tiles) std::fill_n(dx, w.in[0] * w.in[1] * w.in[2] * width, 0.f);
  for (int64_t oz = 0; oz < w.out[0]; ++oz) {
    for (int64_t oy = 0; oy < w.out[1]; ++oy) {
      const Taps tz = w.taps(0, oz), ty = w.taps(1, oy);
      int64_t ox = 0;
      if (width == 1 && tiles && w.kernel[2] == 2) {
        ox = scatter_pairs(F32(), w, tz, ty, x, y, dy, dx, ox);
        ox = scatter_pairs(hn::CappedTag<float, 4>(), w, tz, ty, x, y, dy, dx, ox);
      }
      for (; ox < w.out[2]; ++ox) {
        const Taps tx = w.taps(2, ox);
        const int64_t at = ox * width;
        if (width == 1) {
          scatter_position(w, tz, ty, tx, x, y[at], dy[at], dx, tiles);
        } else if (tiles) {
          scatter_channels<true>(w, tz, ty, tx, width, x, y + at, dy + at, dx);
        } else {
          scatter_channels<false>(w, tz, ty, tx, width, x, y + at, dy + at, dx);
        }
      }
      y += w.out[2] * width;
      dy += w.out[2] * width;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(max_row);
HWY_EXPORT(scatter);

int64_t volume(const Windows::Axes& axes) { return axes[0] * axes[1] * axes[2]; }

}  // namespace

Offer make_max_pool(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Windows w =
      windows_of(*problem.op.as<MaxPool>(), problem.in[0].shape, problem.out[0].shape);
  const Planes planes = planes_of(problem.in[0]);
  return offer([w, planes](const Args& args) {
    const int64_t rows = w.out[0] * w.out[1], row = w.out[2] * planes.width;
    const int64_t grain = elementwise_grain / 4 / std::max<int64_t>(1, row);
    parallel_for(planes.count * rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t plane = i / rows;
        HWY_DYNAMIC_DISPATCH(max_row)
        (w, planes.width, i % rows, args.input<float>(0) + plane * volume(w.in) * planes.width,
         args.output<float>(0) + plane * rows * row);
      }
    });
  });
}

Offer make_max_pool_backward(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Windows w =
      windows_of(*problem.op.as<MaxPoolBackward>(), problem.in[0].shape, problem.in[1].shape);
  const Planes planes = planes_of(problem.in[0]);
  return offer([w, planes](const Args& args) {
    const int64_t x = volume(w.in) * planes.width, y = volume(w.out) * planes.width;
    const int64_t grain = elementwise_grain / 2 / std::max<int64_t>(1, x);
    parallel_for(planes.count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        HWY_DYNAMIC_DISPATCH(scatter)
        (w, planes.width, args.input<float>(0) + i * x, args.input<float>(1) + i * y,
         args.input<float>(2) + i * y, args.output<float>(0) + i * x);
      }
    });
  });
}

}  // namespace fovea::simd
#endif
