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

/// The largest of what it was given, NaN before all. Maximum and NaN are kept apart: a chain of one
/// short operation each.
template <class D>
class Largest {
 public:
  explicit HWY_INLINE Largest(D) {}
  HWY_INLINE void add(hn::Vec<D> x) {
    best_ = hn::Max(best_, x);
    nan_ = hn::Or(nan_, hn::IsNaN(x));
  }
  HWY_INLINE hn::Vec<D> value() const {
    return hn::IfThenElse(nan_, hn::Set(D(), std::numeric_limits<float>::quiet_NaN()), best_);
  }

 private:
  hn::Vec<D> best_ = hn::Set(D(), -std::numeric_limits<float>::infinity());
  hn::Mask<D> nan_ = hn::FirstN(D(), 0);
};

HWY_INLINE float larger(float best, float x) { return !(x <= best) && best == best ? x : best; }

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

/// The offsets of a window's elements from its first column, for values with channels side by side;
/// the same for all windows of a row but those over its ends.
class TapList {
 public:
  static constexpr int64_t capacity = 256;

  HWY_INLINE void update(const Windows& w, const Taps& z, const Taps& y, const Taps& x,
                         int64_t width) {
    if (x.begin == begin_ && x.end == end_) return;
    begin_ = x.begin, end_ = x.end, count_ = 0;
    for_each_tap(w, z, y, {x.begin, x.end, 0}, [&](int64_t p) FOVEA_INLINE {
      offsets_[static_cast<size_t>(count_++)] = p * width;
    });
  }
  const int64_t* begin() const { return offsets_.data(); }
  const int64_t* end() const { return offsets_.data() + count_; }

 private:
  std::array<int64_t, capacity> offsets_;
  int64_t count_ = 0, begin_ = -1, end_ = -1;
};

/// One output row; channels side by side.
void max_row_of_channels(const Windows& w, const Taps& tz, const Taps& ty, int64_t width,
                         const float* x, float* y) {
  TapList list;
  for (int64_t ox = 0; ox < w.out[2]; ++ox, y += width) {
    const Taps tx = w.taps(2, ox);
    list.update(w, tz, ty, tx, width);
    const float* first = x + tx.first * width;
    for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
      Largest largest{F32()};
      for (int64_t offset : list) largest.add(at.load(first + offset + c));
      at.store(largest.value(), y + c);
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
    Largest largest(d);
    for_each_tap(w, tz, ty, row, [&](int64_t at) FOVEA_INLINE {
      for (int64_t k = 0; k < kernel; k += stride) {
        hn::Vec<D> even, odd;
        if (stride == 1) {
          largest.add(hn::LoadU(d, x + at + k));
        } else {
          hn::LoadInterleaved2(d, x + at + k, even, odd);
          largest.add(even);
          if (k + 1 < kernel) largest.add(odd);
        }
      }
    });
    hn::StoreU(largest.value(), d, y + ox);
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

/// The gradient of one window, channels side by side; x and dx are at its first column. Where
/// windows tile the input each element is written once, else added to.
template <bool tiles>
HWY_INLINE void scatter_channels(const TapList& list, int64_t width, const float* x, const float* y,
                                 const float* dy, float* dx) {
  for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
    const V maximum = at.load(y + c), gradient = at.load(dy + c);
    auto found = hn::FirstN(F32(), 0);
    for (int64_t offset : list) {
      V d = hn::IfThenElseZero(find(F32(), found, at.load(x + offset + c), maximum), gradient);
      if constexpr (!tiles) d = hn::Add(d, at.load(dx + offset + c));
      at.store(d, dx + offset + c);
    }
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

/// The gradient of one output row; channels side by side.
void scatter_row_of_channels(const Windows& w, const Taps& tz, const Taps& ty, int64_t width,
                             const float* x, const float* y, const float* dy, float* dx,
                             bool tiles) {
  TapList list;
  for (int64_t ox = 0; ox < w.out[2]; ++ox, y += width, dy += width) {
    const Taps tx = w.taps(2, ox);
    list.update(w, tz, ty, tx, width);
    const int64_t first = tx.first * width;
    tiles ? scatter_channels<true>(list, width, x + first, y, dy, dx + first)
          : scatter_channels<false>(list, width, x + first, y, dy, dx + first);
  }
}

/// The gradient of one output row in plain layout.
void scatter_row_of_positions(const Windows& w, const Taps& tz, const Taps& ty, const float* x,
                              const float* y, const float* dy, float* dx, bool tiles) {
  int64_t ox = 0;
  if (tiles && w.kernel[2] == 2) {
    ox = scatter_pairs(F32(), w, tz, ty, x, y, dy, dx, ox);
    ox = scatter_pairs(hn::CappedTag<float, 4>(), w, tz, ty, x, y, dy, dx, ox);
  }
  for (; ox < w.out[2]; ++ox)
    scatter_position(w, tz, ty, w.taps(2, ox), x, y[ox], dy[ox], dx, tiles);
}

/// The gradient of a whole plane.
void scatter(const Windows& w, int64_t width, const float* x, const float* y, const float* dy,
             float* dx) {
  const bool tiles = w.tiles();
  if (!tiles) std::fill_n(dx, w.in[0] * w.in[1] * w.in[2] * width, 0.f);
  for (int64_t row = 0; row < w.out[0] * w.out[1]; ++row) {
    const Taps tz = w.taps(0, row / w.out[1]), ty = w.taps(1, row % w.out[1]);
    width == 1 ? scatter_row_of_positions(w, tz, ty, x, y, dy, dx, tiles)
               : scatter_row_of_channels(w, tz, ty, width, x, y, dy, dx, tiles);
    y += w.out[2] * width;
    dy += w.out[2] * width;
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

/// What a list of a window's elements can hold.
constexpr int64_t largest_window = HWY_STATIC_DISPATCH(TapList)::capacity;

int64_t volume(const Windows::Axes& axes) { return axes[0] * axes[1] * axes[2]; }

}  // namespace

Offer make_max_pool(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Windows w =
      windows_of(*problem.op.as<MaxPool>(), problem.in[0].shape, problem.out[0].shape);
  if (volume(w.kernel) > largest_window) return Refusal{"only windows of up to 256 elements"};
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
  if (volume(w.kernel) > largest_window) return Refusal{"only windows of up to 256 elements"};
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
