// The elements of a window, and which of them is its maximum: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_WINDOWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_WINDOWS_INL_H
#undef FOVEA_KERNELS_SIMD_WINDOWS_INL_H
#else
#define FOVEA_KERNELS_SIMD_WINDOWS_INL_H
#endif

#include <limits>

#include "fovea/kernels/simd/vectors-inl.h"
#include "fovea/kernels/simd/windows.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

using Taps = Windows::Taps;

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

/// The offsets of a window's elements from its first column, for values with adjacent channels; the
/// same for all windows of a row except those crossing its ends. Those of large windows are not
/// stored but recomputed each time.
class TapList {
 public:
  HWY_INLINE TapList(const Windows& w, const Taps& z, const Taps& y, int64_t width)
      : w_(w), z_(z), y_(y), width_(width), kept_(volume(w.kernel) <= capacity) {}

  HWY_INLINE void update(const Taps& x) {
    if (x.begin == x_.begin && x.end == x_.end) return;
    x_ = {x.begin, x.end, 0};
    count_ = 0;
    if (!kept_) return;
    for_each_tap(w_, z_, y_, x_, [&](int64_t p) FOVEA_INLINE {
      offsets_[static_cast<size_t>(count_++)] = p * width_;
    });
  }

  template <class Body>
  HWY_INLINE void for_each(const Body& body) const {
    if (kept_) {
      for (int64_t i = 0; i < count_; ++i) body(offsets_[static_cast<size_t>(i)]);
    } else {
      for_each_tap(w_, z_, y_, x_, [&](int64_t p) FOVEA_INLINE { body(p * width_); });
    }
  }

 private:
  static constexpr int64_t capacity = 256;

  const Windows& w_;
  const Taps z_, y_;
  Taps x_{-1, -1, 0};
  const int64_t width_;
  const bool kept_;
  std::array<int64_t, capacity> offsets_;
  int64_t count_ = 0;
};

/// The largest of the given values, NaN if there is one. Maximum and NaN are kept separately: each
/// is a chain of one short operation.
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
  /// The largest of all lanes.
  HWY_INLINE float lane() const {
    if (!hn::AllFalse(D(), nan_)) return std::numeric_limits<float>::quiet_NaN();
    return hn::GetLane(hn::MaxOfLanes(D(), best_));
  }

 private:
  hn::Vec<D> best_ = hn::Set(D(), -std::numeric_limits<float>::infinity());
  hn::Mask<D> nan_ = hn::FirstN(D(), 0);
};

/// The lanes in which x is the maximum y and that was not found yet; marks them as found. NaN
/// counts as the maximum.
template <class D, class M>
HWY_INLINE M find(D, M& found, hn::Vec<D> x, hn::Vec<D> y) {
  const M hit = hn::AndNot(found, hn::Or(hn::Eq(x, y), hn::And(hn::IsNaN(x), hn::IsNaN(y))));
  found = hn::Or(found, hit);
  return hit;
}
HWY_INLINE bool is_maximum(float x, float y) { return x == y || (x != x && y != y); }

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
