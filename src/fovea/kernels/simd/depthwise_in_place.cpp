// The bands of depthwise_convolution.cpp that are read where they are.
#include <hwy/cache_control.h>

#include "fovea/kernels/simd/depthwise_bands.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/depthwise_in_place.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/depthwise-inl.h"
#include "fovea/kernels/simd/depthwise_finish-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::depthwise {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::depthwise::HWY_NAMESPACE;  // NOLINT

/// The sums of all channels, in blocks of 16, of positions that are g.channels floats apart.
/// ends.start: null for 0, or all channels'.
HWY_NOINLINE void correlate_pixels(const Geometry& g, const float* in, int64_t in_step,
                                   std::span<const Tap> taps, const float* weights, int64_t count,
                                   const Ends& ends, float* out, int64_t out_step) {
  constexpr int vectors = std::max(1, static_cast<int>(16 / lanes));
  constexpr float zeros[16] = {};
  // What is fetched: the next columns of the rows of x that outputs above have not read. Taps are
  // in the order of their positions, or in its reverse.
  const int64_t row = g.axes[2].in * g.channels, rows = g.axes[1].in_step;
  const int64_t last = taps.empty() ? 0 : std::max(taps.front().position, taps.back().position);
  for_each_part<summed_together / vectors>(
      count, [&]<int n>(std::integral_constant<int, n>, int64_t begin) FOVEA_INLINE {
        const float* from = in + begin * in_step * g.channels;
        float* to = out + begin * out_step * g.channels;
        Ends own = ends;
        for (int64_t c = 0; c < g.channels; c += 16) {
          for (int64_t y = 0; y < rows; ++y) {
            const float* next = from + c + (last + n * in_step) * g.channels - y * row;
            for (int64_t i = 0; i < n * in_step; ++i)
              __builtin_prefetch(next + i * g.channels, 0, 2);
          }
          own.start = ends.start != nullptr ? ends.start + c : zeros;
          correlate<n, vectors, 0, 0>(from + c, in_step, g.channels, taps, weights + c * g.taps(),
                                      own, to + c, out_step);
        }
      });
}

void compute(const Run& r, const Band& band, float* buffer) {
  const Geometry& g = r.g;
  const Axis &row = g.axes[1], &column = g.axes[2];
  const int64_t c = band.block * 16, begin = band.begin * row.out_step, width = g.width();
  const int64_t end = std::min(row.out, band.end * row.out_step);
  const float* x = as<float>(r.x) + g.offset(band.image, c, g.inputs());
  const int64_t offset = g.offset(band.image, c, g.outputs()) + begin * column.out * width;
  HWY_ALIGN float start[16];
  for (int64_t k = 0; k < 16; ++k) start[k] = r.bias != nullptr ? r.bias[c + k] : 0;
  const bool finished = r.steps.empty();
  const Ends ends{g.blocked ? start : r.bias, r.bounds, finished && r.stream};
  float* out = finished ? as<float>(r.y) + offset : buffer;
  const float* weights = r.weights + band.block * g.taps() * 16;
  size_t first_list = 0;
  for (size_t p = 0; p < r.inside->rows.size(); ++p) {
    for (const Segment& rows : r.inside->rows[p]) {
      const size_t lists = first_list;
      for (const auto& columns : r.inside->columns) first_list += columns.size();
      const int64_t last = std::min(rows.end, band.end);
      for (int64_t m = std::max(rows.begin, band.begin); m < last; ++m) {
        const float* from = x + m * row.in_step * column.in * width;
        float* to = out + (m * row.out_step + static_cast<int64_t>(p) - begin) * column.out * width;
        size_t list = lists;
        for (size_t q = 0; q < r.inside->columns.size(); ++q) {
          for (const Segment& columns : r.inside->columns[q]) {
            const float* own = from + columns.begin * column.in_step * width;
            float* own_to =
                to + (columns.begin * column.out_step + static_cast<int64_t>(q)) * width;
            const std::span<const Tap> taps = r.inside->taps[list++];
            const int64_t count = columns.end - columns.begin;
            if (g.blocked) {
              correlate_row<lanes>(own, column.in_step, taps, weights, count, ends, own_to,
                                   column.out_step);
            } else {
              correlate_pixels(g, own, column.in_step, taps, weights, count, ends, own_to,
                               column.out_step);
            }
          }
        }
      }
    }
  }
  if (!finished) finish_rows<float>(r, offset, (end - begin) * column.out, Whole{}, buffer);
  if (r.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::depthwise
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::depthwise {
namespace {

HWY_EXPORT(compute);

}  // namespace

void compute_in_place(const Run& run, const Band& band, float* buffer) {
  HWY_DYNAMIC_DISPATCH(compute)(run, band, buffer);
}

}  // namespace fovea::simd::depthwise
#endif
