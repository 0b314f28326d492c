// Maxima of windows and of bins, their indices, and their gradient; f32, bf16 or f16, any layout, 1
// to 3 axes. Exact (the gradient: one rounding for each window that shares an element; for bf16,
// which is summed in floats, another 2^-8 of the sum). Vectors lie along channels, or in plain
// layout along the last axis if its stride is 1 or 2, else along the rows of large windows. The
// gradient finds each window's maximum again by comparing x with y, in row-major order, so ties go
// to the first; threads take entire planes.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/max_pool.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/windows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

HWY_INLINE float larger(float best, float x) { return !(x <= best) && best == best ? x : best; }

/// From what the windows of one row read to what those of the next one read, in elements.
HWY_INLINE int64_t next_row(const Windows& w, int64_t width) {
  return w.stride[1] * w.in[2] * width;
}

/// One output row with adjacent channels.
template <class T>
HWY_INLINE void max_row_of_channels(const Windows& w, const Taps& tz, const Taps& ty, int64_t width,
                                    const T* x, T* y) {
  TapList list(w, tz, ty, width);
  const int64_t ahead = next_row(w, width);
  for (int64_t ox = 0; ox < w.out[2]; ++ox, y += width) {
    const Taps tx = w.taps(2, ox);
    list.update(tx);
    const T* first = x + tx.first * width;
    for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
      Largest largest{F32()};
      list.for_each([&](int64_t offset) FOVEA_INLINE {
        Ahead::load(first + offset + c + ahead);
        largest.add(at.load(first + offset + c));
      });
      at.store(largest.value(), y + c);
    });
  }
}

/// Outputs [ox, ...) of a row in plain layout, in full vectors of D while no window crosses the
/// edge; returns the next output.
template <class D, class T>
HWY_INLINE int64_t max_vectors(D d, const Windows& w, const Taps& tz, const Taps& ty, const T* x,
                               T* y, int64_t ox) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stride = w.stride[2], kernel = w.kernel[2];
  if (w.bins || w.dilation[2] != 1 || stride > 2) return ox;
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
          largest.add(load_vector(d, x + at + k));
        } else {
          load_pairs(d, x + at + k, even, odd);
          largest.add(even);
          if (k + 1 < kernel) largest.add(odd);
        }
      }
    });
    store_vector(largest.value(), d, y + ox);
  }
  return ox;
}

/// The maximum of one window in plain layout.
template <class T>
HWY_INLINE float max_of_window(const Windows& w, const Taps& tz, const Taps& ty, const Taps& tx,
                               const T* x) {
  const int64_t length = tx.end - tx.begin;
  if (w.dilation[2] == 1 && length >= lanes) {
    Largest largest{F32()};
    const V lowest = all(-std::numeric_limits<float>::infinity());
    for_each_tap(w, tz, ty, {0, 1, tx.first}, [&](int64_t row) FOVEA_INLINE {
      for_each_vector(row, row + length, [&](int64_t i, auto at) FOVEA_INLINE {
        largest.add(at.keep(at.load(x + i), lowest));
      });
    });
    return largest.lane();
  }
  float best = x[(tz.first * w.in[1] + ty.first) * w.in[2] + tx.first];
  for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE { best = larger(best, x[p]); });
  return best;
}

/// One output row in plain layout.
template <class T>
HWY_INLINE void max_row_of_positions(const Windows& w, const Taps& tz, const Taps& ty, const T* x,
                                     T* y) {
  for (int64_t ox = 0; ox < w.out[2];) {
    ox = max_vectors(F32(), w, tz, ty, x, y, ox);
    ox = max_vectors(hn::CappedTag<float, 4>(), w, tz, ty, x, y, ox);
    if (ox == w.out[2]) break;
    y[ox] = static_cast<T>(max_of_window(w, tz, ty, w.taps(2, ox), x));
    ++ox;
  }
}

/// Some of the out[0] * out[1] output rows of a plane.
void max_rows(DType dtype, const Windows& w, int64_t width, int64_t begin, int64_t end,
              const std::byte* x, std::byte* y) {
  with_element(dtype, [&]<class T>(T) {
    for (int64_t row = begin; row < end; ++row) {
      const Taps tz = w.taps(0, row / w.out[1]), ty = w.taps(1, row % w.out[1]);
      T* to = as<T>(y) + row * w.out[2] * width;
      width == 1 ? max_row_of_positions(w, tz, ty, as<T>(x), to)
                 : max_row_of_channels(w, tz, ty, width, as<T>(x), to);
    }
  });
}

/// The positions of the maxima y of one window with adjacent channels.
template <class T>
HWY_INLINE void find_channels(const Windows& w, const Taps& tz, const Taps& ty, const Taps& tx,
                              int64_t width, const T* x, const T* y, int64_t* indices) {
  const hn::RebindToSigned<F32> integers;
  HWY_ALIGN int32_t places[lanes];
  for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
    const V maximum = at.load(y + c);
    auto found = hn::FirstN(F32(), 0);
    auto place = hn::Zero(integers);
    for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
      const auto hit = find(F32(), found, at.load(x + p * width + c), maximum);
      place = hn::IfThenElse(hn::RebindMask(integers, hit),
                             hn::Set(integers, static_cast<int32_t>(p)), place);
    });
    hn::Store(place, integers, places);
    std::copy_n(places, at.count, indices + c);
  });
}

template <class T>
HWY_INLINE void find_row_as(const Windows& w, int64_t width, int64_t row, const T* x, const T* y,
                            int64_t* indices) {
  const Taps tz = w.taps(0, row / w.out[1]), ty = w.taps(1, row % w.out[1]);
  for (int64_t ox = 0; ox < w.out[2]; ++ox) {
    const Taps tx = w.taps(2, ox);
    const int64_t at = (row * w.out[2] + ox) * width;
    if (width != 1) {
      find_channels(w, tz, ty, tx, width, x, y + at, indices + at);
      continue;
    }
    bool found = false;
    for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
      if (found || !is_maximum(x[p], y[at])) return;
      found = true;
      indices[at] = p;
    });
  }
}

/// The positions of the maxima y of some rows; x, y and indices point to their planes.
void find_rows(DType dtype, const Windows& w, int64_t width, int64_t begin, int64_t end,
               const std::byte* x, const std::byte* y, int64_t* indices) {
  with_element(dtype, [&]<class T>(T) {
    for (int64_t row = begin; row < end; ++row)
      find_row_as(w, width, row, as<T>(x), as<T>(y), indices);
  });
}

/// The gradient of one window with adjacent channels; x and dx point to its first column. If
/// windows tile the input, each element is written once, else added to, in floats.
template <bool tiles, class T, class Sum>
HWY_INLINE void scatter_channels(const TapList& list, int64_t width, int64_t ahead, const T* x,
                                 const T* y, const T* dy, Sum* dx) {
  for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
    const V maximum = at.load(y + c), gradient = at.load(dy + c);
    auto found = hn::FirstN(F32(), 0);
    list.for_each([&](int64_t offset) FOVEA_INLINE {
      Ahead::load(x + offset + c + ahead);
      V d = hn::IfThenElseZero(find(F32(), found, at.load(x + offset + c), maximum), gradient);
      if constexpr (!tiles) d = hn::Add(d, at.load(dx + offset + c));
      at.store(d, dx + offset + c);
    });
  });
}

/// The gradients of windows [ox, ...) of a row that tile the input two by two along the last axis,
/// in plain layout, in full vectors of D; returns the next window.
template <class D, class T>
HWY_INLINE int64_t scatter_pairs(D d, const Windows& w, const Taps& tz, const Taps& ty, const T* x,
                                 const T* y, const T* dy, T* dx, int64_t ox) {
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  for (; ox + n <= w.out[2]; ox += n) {
    const auto maximum = load_vector(d, y + ox), gradient = load_vector(d, dy + ox);
    auto found = hn::FirstN(d, 0);
    for_each_tap(w, tz, ty, Taps{0, 1, 2 * ox}, [&](int64_t p) FOVEA_INLINE {
      hn::Vec<D> even, odd;
      load_pairs(d, x + p, even, odd);
      even = hn::IfThenElseZero(find(d, found, even, maximum), gradient);
      odd = hn::IfThenElseZero(find(d, found, odd, maximum), gradient);
      store_pairs(even, odd, d, dx + p);
    });
  }
  return ox;
}

/// The gradient of one window in plain layout.
template <bool tiles, class T, class Sum>
HWY_INLINE void scatter_position(const Windows& w, const Taps& tz, const Taps& ty, const Taps& tx,
                                 const T* x, float y, float dy, Sum* dx) {
  bool found = false;
  for_each_tap(w, tz, ty, tx, [&](int64_t p) FOVEA_INLINE {
    const bool hit = !found && is_maximum(x[p], y);
    found = found || hit;
    dx[p] = static_cast<Sum>((tiles ? 0.f : dx[p]) + (hit ? dy : 0.f));
  });
}

/// The gradient of one output row with adjacent channels.
template <bool tiles, class T, class Sum>
HWY_INLINE void scatter_row_of_channels(const Windows& w, const Taps& tz, const Taps& ty,
                                        int64_t width, const T* x, const T* y, const T* dy,
                                        Sum* dx) {
  TapList list(w, tz, ty, width);
  for (int64_t ox = 0; ox < w.out[2]; ++ox, y += width, dy += width) {
    const Taps tx = w.taps(2, ox);
    list.update(tx);
    const int64_t first = tx.first * width;
    scatter_channels<tiles>(list, width, next_row(w, width), x + first, y, dy, dx + first);
  }
}

/// The gradient of one output row in plain layout.
template <bool tiles, class T, class Sum>
HWY_INLINE void scatter_row_of_positions(const Windows& w, const Taps& tz, const Taps& ty,
                                         const T* x, const T* y, const T* dy, Sum* dx) {
  int64_t ox = 0;
  if constexpr (tiles) {
    if (w.kernel[2] == 2) {
      ox = scatter_pairs(F32(), w, tz, ty, x, y, dy, dx, ox);
      ox = scatter_pairs(hn::CappedTag<float, 4>(), w, tz, ty, x, y, dy, dx, ox);
    }
  }
  for (; ox < w.out[2]; ++ox)
    scatter_position<tiles>(w, tz, ty, w.taps(2, ox), x, y[ox], dy[ox], dx);
}

template <bool tiles, class T, class Sum>
HWY_INLINE void scatter_as(const Windows& w, int64_t width, const T* x, const T* y, const T* dy,
                           Sum* dx) {
  for (int64_t row = 0; row < w.out[0] * w.out[1]; ++row) {
    const Taps tz = w.taps(0, row / w.out[1]), ty = w.taps(1, row % w.out[1]);
    width == 1 ? scatter_row_of_positions<tiles>(w, tz, ty, x, y, dy, dx)
               : scatter_row_of_channels<tiles>(w, tz, ty, width, x, y, dy, dx);
    y += w.out[2] * width;
    dy += w.out[2] * width;
  }
}

/// The gradient of an entire plane; `sums` has space for its floats if it has 16 bits.
void scatter(DType dtype, const Windows& w, int64_t width, const std::byte* x, const std::byte* y,
             const std::byte* dy, std::byte* dx, float* sums) {
  with_element(dtype, [&]<class T>(T) {
    if (w.tiles()) return scatter_as<true>(w, width, as<T>(x), as<T>(y), as<T>(dy), as<T>(dx));
    fill_with_sums(as<T>(dx), sums, volume(w.in) * width, [&](float* to) {
      scatter_as<false>(w, width, as<T>(x), as<T>(y), as<T>(dy), to);
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

HWY_EXPORT(max_rows);
HWY_EXPORT(find_rows);
HWY_EXPORT(scatter);

/// Output 0 gets the maxima, output 1 (with `indices`) their indices in the plane.
Offer maxima(const Windows& w, const Type& x, bool indices) {
  return offer([w, planes = planes_of(x), dtype = x.dtype, indices](const Args& args) {
    const int64_t rows = w.out[0] * w.out[1], row = w.out[2] * planes.width;
    const int64_t grain = elementwise_grain / 4 / std::max<int64_t>(1, row);
    const auto bytes = static_cast<int64_t>(size_of(dtype));
    parallel_for(planes.count * rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) {
        const int64_t plane = i / rows, first = plane * rows * row;
        const int64_t from = i % rows, to = std::min(rows, from + end - i);
        const std::byte* x_plane = args.in[0] + plane * volume(w.in) * planes.width * bytes;
        std::byte* y = args.out[0] + first * bytes;
        HWY_DYNAMIC_DISPATCH(max_rows)(dtype, w, planes.width, from, to, x_plane, y);
        if (indices) {
          HWY_DYNAMIC_DISPATCH(find_rows)
          (dtype, w, planes.width, from, to, x_plane, y, args.output<int64_t>(1) + first);
        }
        i += to - from;
      }
    });
  });
}

/// dx of all planes. Input 0 is x, the last one dy; input 1 is y, unless it has to be recomputed
/// (`find_again`), into scratch memory.
Offer gradients(const Windows& w, const Problem& problem, bool find_again) {
  const Planes planes = planes_of(problem.in[0]);
  const DType dtype = problem.in[0].dtype;
  const int64_t large = volume(w.in) * planes.width, small = volume(w.out) * planes.width;
  const auto bytes = static_cast<int64_t>(size_of(dtype));
  const bool sums = size_of(dtype) < sizeof(float) && !w.tiles();
  const size_t sum_bytes = sums ? align_up(static_cast<size_t>(checked_product(large, 4))) : 0;
  const Slots slots(planes.count, elementwise_grain / 2 / std::max<int64_t>(1, large),
                    sum_bytes + static_cast<size_t>(find_again ? small * bytes : 0), problem);
  const auto run = [=](const Args& args) {
    slots.for_each(args.scratch, [&](int64_t i, std::byte* scratch) {
      const std::byte* x = args.in[0] + i * large * bytes;
      const std::byte* y = find_again ? scratch + sum_bytes : args.in[1] + i * small * bytes;
      if (find_again) {
        HWY_DYNAMIC_DISPATCH(max_rows)
        (dtype, w, planes.width, 0, w.out[0] * w.out[1], x, scratch + sum_bytes);
      }
      HWY_DYNAMIC_DISPATCH(scatter)
      (dtype, w, planes.width, x, y, args.in.back() + i * small * bytes,
       args.out[0] + i * large * bytes, reinterpret_cast<float*>(scratch));
    });
  };
  return offer(run, slots.scratch_bytes());
}

}  // namespace

Offer make_max_pool(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Windows w =
      windows_of(problem.op.get<MaxPool>(), problem.in[0].shape, problem.out[0].shape);
  return maxima(w, problem.in[0], false);
}

Offer make_max_pool_indices(const Problem& problem) {
  const Type& x = problem.in[0];
  if (!is_simd_float(x.dtype)) return Refusal{simd_floats()};
  const Windows w = windows_of(problem.op.get<MaxPoolIndices>(), x.shape, problem.out[0].shape);
  if (volume(w.in) > std::numeric_limits<int32_t>::max())
    return Refusal{"only planes of up to 2^31 positions"};
  return maxima(w, x, true);
}

Offer make_adaptive_max_pool(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  return maxima(bins_of(problem.in[0].shape, problem.out[0].shape), problem.in[0], false);
}

Offer make_max_pool_backward(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Shape &x = problem.in[0].shape, &y = problem.in[1].shape;
  return gradients(windows_of(problem.op.get<MaxPoolBackward>(), x, y), problem, false);
}

Offer make_adaptive_max_pool_backward(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  return gradients(bins_of(problem.in[0].shape, problem.in[1].shape), problem, true);
}

}  // namespace fovea::simd
#endif
