// Means of windows and of bins (global pooling is one bin) and their gradient, f32, bf16 or f16,
// any layout, 1 to 3 axes. Floats are added row by row in memory order, then the rows' sums:
// results do not depend on the number of threads, which take entire rows of means, and entire
// planes of the gradient. Error bound: 32 eps of the inputs' absolute values; for bf16 (f16)
// another 2^-8 (2^-11) of the result.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/windows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/avg_pool.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

#ifndef FOVEA_KERNELS_SIMD_AVG_POOL
#define FOVEA_KERNELS_SIMD_AVG_POOL
namespace fovea::simd {
namespace {

/// Windows whose elements all have the same weight.
struct MeanWindows : Windows {
  bool count_padding = false;  ///< padding counts as zeros

  /// The number of positions along an axis that a mean covers.
  int64_t count(size_t axis, int64_t o, const Taps& taps) const {
    if (!count_padding) return taps.end - taps.begin;
    const int64_t remaining = in[axis] + padding_end[axis] - (o * stride[axis] - padding[axis]);
    return std::min(kernel[axis], (remaining + dilation[axis] - 1) / dilation[axis]);
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
using Taps = Windows::Taps;

/// Calls body(row length, weight of an element, rows) for each window of output row `row`; rows(f)
/// calls f(position of the first element) for each row of the window.
template <class Body>
HWY_INLINE void for_each_window(const MeanWindows& w, int64_t row, const Body& body) {
  const int64_t oz = row / w.out[1], oy = row % w.out[1];
  const Taps z = w.taps(0, oz), y = w.taps(1, oy);
  const int64_t rows = w.count(0, oz, z) * w.count(1, oy, y);
  for (int64_t ox = 0; ox < w.out[2]; ++ox) {
    const Taps x = w.taps(2, ox);
    const float share = 1 / static_cast<float>(rows * w.count(2, ox, x));
    body(x.end - x.begin, share, [&](const auto& visit) FOVEA_INLINE {
      int64_t pz = z.first;
      for (int64_t kz = z.begin; kz < z.end; ++kz, pz += w.dilation[0]) {
        int64_t py = y.first;
        for (int64_t ky = y.begin; ky < y.end; ++ky, py += w.dilation[1])
          visit((pz * w.in[1] + py) * w.in[2] + x.first);
      }
    });
  }
}

template <class T>
HWY_INLINE void mean_row_as(const MeanWindows& w, int64_t width, int64_t row, const T* x, T* y) {
  y += row * w.out[2] * width;
  const int64_t step = w.dilation[2];
  for_each_window(w, row, [&](int64_t length, float share, const auto& rows) FOVEA_INLINE {
    if (width > 1) {
      for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
        V total = all(0);
        rows([&](int64_t first) FOVEA_INLINE {
          V sum = all(0);
          for (int64_t i = 0; i < length; ++i)
            sum = hn::Add(sum, at.load(x + (first + i * step) * width + c));
          total = hn::Add(total, sum);
        });
        at.store(hn::Mul(total, all(share)), y + c);
      });
    } else if (step == 1) {
      V sums = all(0);
      rows([&](int64_t first) FOVEA_INLINE {
        for_each_vector(first, first + length, [&](int64_t i, auto at) FOVEA_INLINE {
          sums = hn::Add(sums, at.load(x + i));
        });
      });
      *y = static_cast<T>(hn::GetLane(hn::SumOfLanes(F32(), sums)) * share);
    } else {
      float sum = 0;
      rows([&](int64_t first) FOVEA_INLINE {
        for (int64_t i = 0; i < length; ++i) sum += x[first + i * step];
      });
      *y = static_cast<T>(sum * share);
    }
    y += width;
  });
}

/// Output row `row` of a plane.
void mean_row(DType dtype, const MeanWindows& w, int64_t width, int64_t row, const std::byte* x,
              std::byte* y) {
  with_element(dtype, [&]<class T>(T) { mean_row_as(w, width, row, as<T>(x), as<T>(y)); });
}

/// The gradient of one plane: each window distributes its share of dy to all its elements. Windows
/// that tile the input write it, others add to it, in floats.
template <bool tiles, class T, class Sum>
HWY_INLINE void spread_as(const MeanWindows& w, int64_t width, const T* dy, Sum* dx) {
  const auto give = [](auto at, V d, Sum* to)
                        FOVEA_INLINE { at.store(tiles ? d : hn::Add(d, at.load(to)), to); };
  const int64_t step = w.dilation[2];
  for (int64_t row = 0; row < w.out[0] * w.out[1]; ++row) {
    for_each_window(w, row, [&](int64_t length, float share, const auto& rows) FOVEA_INLINE {
      rows([&](int64_t first) FOVEA_INLINE {
        if (width == 1 && step == 1) {
          for_each_vector(first, first + length, [&](int64_t i, auto at) FOVEA_INLINE {
            give(at, all(*dy * share), dx + i);
          });
          return;
        }
        for_each_vector(0, width, [&](int64_t c, auto at) FOVEA_INLINE {
          const V d = hn::Mul(at.load(dy + c), all(share));
          for (int64_t i = 0; i < length; ++i) give(at, d, dx + (first + i * step) * width + c);
        });
      });
      dy += width;
    });
  }
}

/// `sums` has space for the plane's floats if it has 16 bits.
void spread(DType dtype, const MeanWindows& w, int64_t width, const std::byte* dy, std::byte* dx,
            float* sums) {
  with_element(dtype, [&]<class T>(T) {
    if (w.tiles()) return spread_as<true>(w, width, as<T>(dy), as<T>(dx));
    fill_with_sums(as<T>(dx), sums, volume(w.in) * width,
                   [&](float* to) { spread_as<false>(w, width, as<T>(dy), to); });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(mean_row);
HWY_EXPORT(spread);

Offer means(const MeanWindows& w, const Type& x) {
  return offer([w, planes = planes_of(x), dtype = x.dtype](const Args& args) {
    const auto bytes = static_cast<int64_t>(size_of(dtype));
    const int64_t large = volume(w.in) * planes.width, small = volume(w.out) * planes.width;
    const int64_t rows = w.out[0] * w.out[1];
    const int64_t grain = elementwise_grain * rows / std::max<int64_t>(1, large);
    parallel_for(planes.count * rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t plane = i / rows;
        HWY_DYNAMIC_DISPATCH(mean_row)
        (dtype, w, planes.width, i % rows, args.in[0] + plane * large * bytes,
         args.out[0] + plane * small * bytes);
      }
    });
  });
}

Offer shares(const MeanWindows& w, const Problem& problem) {
  const Planes planes = planes_of(problem.out[0]);
  const DType dtype = problem.out[0].dtype;
  const int64_t large = volume(w.in) * planes.width, small = volume(w.out) * planes.width;
  const bool sums = size_of(dtype) < sizeof(float) && !w.tiles();
  const Slots slots(planes.count, elementwise_grain / std::max<int64_t>(1, large),
                    static_cast<size_t>(sums ? checked_product(large, 4) : 0), problem);
  const auto run = [=](const Args& args) {
    const auto bytes = static_cast<int64_t>(size_of(dtype));
    slots.for_each(args.scratch, [&](int64_t i, std::byte* scratch) {
      HWY_DYNAMIC_DISPATCH(spread)
      (dtype, w, planes.width, args.in[0] + i * small * bytes, args.out[0] + i * large * bytes,
       reinterpret_cast<float*>(scratch));
    });
  };
  return offer(run, slots.scratch_bytes());
}

}  // namespace

Offer make_avg_pool(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const AvgPool& op = problem.op.get<AvgPool>();
  return means({windows_of(op, problem.in[0].shape, problem.out[0].shape), op.count_include_pad},
               problem.in[0]);
}

Offer make_avg_pool_backward(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const AvgPoolBackward& op = problem.op.get<AvgPoolBackward>();
  return shares({windows_of(op, problem.out[0].shape, problem.in[0].shape), op.count_include_pad},
                problem);
}

Offer make_adaptive_avg_pool(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  return means({bins_of(problem.in[0].shape, problem.out[0].shape)}, problem.in[0]);
}

Offer make_adaptive_avg_pool_backward(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  return shares({bins_of(problem.out[0].shape, problem.in[0].shape)}, problem);
}

}  // namespace fovea::simd
#endif
