// Layout changes of f32 values. Exact. Between a layout whose channels lie side by side and plain,
// 4 x 4 blocks are transposed in registers.
#include "fovea/ops/reorder.h"

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/reorder.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT
using F32x4 = hn::FixedTag<float, 4>;

/// out[j][i] = in[i][j] for 4 x 4 floats, rows `in_stride` and `out_stride` apart.
HWY_INLINE void transpose4x4(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
  const F32x4 d;
  const auto a = hn::LoadU(d, in), b = hn::LoadU(d, in + in_stride),
             c = hn::LoadU(d, in + 2 * in_stride), e = hn::LoadU(d, in + 3 * in_stride);
  const auto ac0 = hn::InterleaveLower(d, a, c), be0 = hn::InterleaveLower(d, b, e);
  const auto ac1 = hn::InterleaveUpper(d, a, c), be1 = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac0, be0), d, out);
  hn::StoreU(hn::InterleaveUpper(d, ac0, be0), d, out + out_stride);
  hn::StoreU(hn::InterleaveLower(d, ac1, be1), d, out + 2 * out_stride);
  hn::StoreU(hn::InterleaveUpper(d, ac1, be1), d, out + 3 * out_stride);
}

/// out[j][i] = in[i][j] for rows x columns floats, by 16 x 16. The side whose rows are further
/// apart goes by whole cache lines, four at a time: its lines may all belong in one place of the
/// cache.
void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride, int64_t rows,
               int64_t columns) {
  const int64_t rows4 = rows / 4 * 4, columns4 = columns / 4 * 4;
  const auto block = [&](int64_t i, int64_t j) FOVEA_INLINE {
    transpose4x4(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
  };
  for (int64_t i0 = 0; i0 < rows4; i0 += 16) {
    for (int64_t j0 = 0; j0 < columns4; j0 += 16) {
      const int64_t i1 = std::min(i0 + 16, rows4), j1 = std::min(j0 + 16, columns4);
      if (in_stride > out_stride) {
        for (int64_t i = i0; i < i1; i += 4) {
          for (int64_t j = j0; j < j1; j += 4) block(i, j);
        }
      } else {
        for (int64_t j = j0; j < j1; j += 4) {
          for (int64_t i = i0; i < i1; i += 4) block(i, j);
        }
      }
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i < rows4 ? columns4 : 0; j < columns; ++j)
      out[j * out_stride + i] = in[i * in_stride + j];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(transpose);

/// Up to 16 channels of one image in a layout: where the first is, and the steps from channel to
/// channel and from position to position.
struct Slab {
  int64_t first, channel, position;
};

Slab slab(Layout layout, int64_t channels, int64_t plane, int64_t image, int64_t channel) {
  const int64_t base = image * channels * plane;
  switch (layout) {
    case Layout::plain:
      return {base + channel * plane, plane, 1};
    case Layout::channels_last:
      return {base + channel, 1, channels};
    case Layout::blocked16:
      return {base + channel * plane, 1, 16};
  }
  return {};
}

void reorder_slab(const float* x, const Slab& from, float* y, const Slab& to, int64_t channels,
                  int64_t plane) {
  if (from.channel == 1 && to.channel == 1) {
    for (int64_t p = 0; p < plane; ++p)
      std::copy_n(x + from.first + p * from.position, channels, y + to.first + p * to.position);
  } else if (from.position == 1) {
    HWY_DYNAMIC_DISPATCH(transpose)
    (x + from.first, from.channel, y + to.first, to.position, channels, plane);
  } else {
    HWY_DYNAMIC_DISPATCH(transpose)
    (x + from.first, from.position, y + to.first, to.channel, plane, channels);
  }
}

}  // namespace

Offer make_reorder(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Type& x = problem.in[0];
  const Layout from = x.layout, to = problem.out[0].layout;
  const int64_t count = x.numel();
  if (x.rank() < 3 || from == to) {
    return offer([count](const Args& args) {
      parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
        std::copy(args.input<float>(0) + begin, args.input<float>(0) + end,
                  args.output<float>(0) + begin);
      });
    });
  }
  const int64_t images = x.dim(0), channels = x.dim(1), plane = x.shape.slice(2).numel();
  return offer([=](const Args& args) {
    const int64_t slabs = (channels + 15) / 16;
    const int64_t grain = elementwise_grain / std::max<int64_t>(1, 16 * plane);
    parallel_for(images * slabs, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / slabs, channel = i % slabs * 16;
        reorder_slab(args.input<float>(0), slab(from, channels, plane, image, channel),
                     args.output<float>(0), slab(to, channels, plane, image, channel),
                     std::min<int64_t>(16, channels - channel), plane);
      }
    });
  });
}

}  // namespace fovea::simd
#endif
