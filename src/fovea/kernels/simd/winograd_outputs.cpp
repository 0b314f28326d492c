// The outputs of Winograd's convolution from its products.
#include <hwy/cache_control.h>

#include "fovea/kernels/simd/winograd_convolution.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_outputs.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

/// Those of `count` positions from `first` on that are on an axis.
HWY_INLINE Range inside(int64_t first, int64_t count, int64_t size) {
  return {std::max<int64_t>(0, -first), std::min(count, size - first)};
}

/// Adds the values of a tile, `rows` by `columns` of them in rows of `width` vectors, to the
/// moments of `count` earlier ones (Chan et al. 1979, Updating formulae, equation 2.1): a mean far
/// from zero costs no precision.
HWY_NOINLINE void add_moments(const float* values, Range rows, Range columns, int64_t width,
                              float count, float* mean, float* squares) {
  const auto for_each = [&](const auto& f) FOVEA_INLINE {
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      for (int64_t j = columns.begin; j < columns.end; ++j)
        f(hn::Load(F32(), values + (i * width + j) * lanes));
    }
  };
  const auto own = static_cast<float>(rows.size() * columns.size());
  V sum = all(0), spread = all(0);
  for_each([&](V v) FOVEA_INLINE { sum = hn::Add(sum, v); });
  const V centre = times(1 / own, sum);
  for_each([&](V v) FOVEA_INLINE {
    const V d = hn::Sub(v, centre);
    spread = hn::MulAdd(d, d, spread);
  });
  if (count == 0) {
    hn::Store(centre, F32(), mean);
    hn::Store(spread, F32(), squares);
    return;
  }
  const float share = own / (count + own);
  const V before = hn::Load(F32(), mean), apart = hn::Sub(centre, before);
  hn::Store(fma(share, apart, before), F32(), mean);
  spread = hn::Add(spread, times(count * share, hn::Mul(apart, apart)));
  hn::Store(hn::Add(hn::Load(F32(), squares), spread), F32(), squares);
}

/// Outputs of one group from M, whose rows are the tiles.
template <class F, int axes, class T>
HWY_INLINE void store_outputs(const Convolution& c, const Epilogue& e, int64_t g,
                              const Piece& piece, const Matrices& m) {
  constexpr int height = axes == 2 ? F::to : 1, width = F::to;
  const Image& image = c.y.image;
  const int64_t step = c.y.step;
  const Range channels = c.channels(g);
  for_each_vector(channels.begin, channels.end, [&](int64_t k, auto at) FOVEA_INLINE {
    const V bias = e.bias != nullptr ? at.load(e.bias + k) : all(0);
    const float* row = m.data + (k - channels.begin);
    HWY_ALIGN float values[height * width * lanes], mean[lanes] = {}, squares[lanes] = {};
    float count = 0;  // of values of which these are
    const bool moments = e.moments.mean != nullptr;
    for (const Place& place : piece.tiles) {
      const int64_t top = step * place.y - c.y.top, left = step * place.x - c.y.left;
      const int64_t offset = image.offset(place.image, k, piece.slice, top, left);
      T* y = as<T>(e.y) + offset;
      const auto store = [&](int64_t i, int64_t j, V value) FOVEA_INLINE {
        const int64_t to = i * image.row + j * image.column;
        V result = hn::Add(value, bias);
        if (e.residual != nullptr)
          result = hn::Add(result, at.load(as<T>(e.residual) + offset + to));
        if (e.relu) result = relu(result);
        float* kept = values + (i * width + j) * lanes;
        if constexpr (std::is_same_v<T, float>) {
          if (moments) hn::Store(result, F32(), kept);
          if constexpr (std::is_same_v<decltype(at), Whole>) {
            if (e.stream) return hn::Stream(result, F32(), y + to);
          }
          at.store(result, y + to);
        } else {
          at.store(result, y + to);
          if (moments) hn::Store(at.load(y + to), F32(), kept);  // of what is stored, rounded
        }
      };
      const Range rows = inside(top, axes == 2 ? step * place.rows : 1, image.height);
      const Range columns = inside(left, step * place.columns, image.width);
      bool stored = false;
      if constexpr (F::to == tile && std::is_same_v<decltype(at), Whole> && !is_shared<F, T>) {
        if (rows.size() == height && columns.size() == width) {
          transform<F, axes>(
              [&](int i, int j)
                  FOVEA_INLINE { return hn::Load(F32(), row + (i * F::from + j) * m.matrix); },
              store);
          stored = true;
        }
      }
      if (!stored) {
        transform_floats<F, axes>(row, m.matrix, values, lanes);
        for (int64_t i = rows.begin; i < rows.end; ++i) {
          for (int64_t j = columns.begin; j < columns.end; ++j)
            store(i, j, hn::Load(F32(), values + (i * width + j) * lanes));
        }
      }
      if (moments) {
        add_moments(values, rows, columns, width, count, mean, squares);
        count += static_cast<float>(rows.size() * columns.size());
      }
      row += m.row;
    }
    if (!moments) return;
    hn::Store(hn::Load(F32(), mean), F32(), e.moments.mean + k);
    hn::Store(hn::Load(F32(), squares), F32(), e.moments.squares + k);
    e.moments.count[g] = count;
  });
}

void finish_group(const Convolution& c, const Epilogue& e, int64_t g, const Piece& piece,
                  const Matrices& m) {
  with_element(c.y.image.dtype, [&]<class T>(T) {
    with_any_form(c.x.form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
      store_outputs<typename S::Output, axes, T>(c, e, g, piece, m);
    });
  });
  if (e.stream) hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {
HWY_EXPORT(finish_group);
}  // namespace

void finish_group(const Convolution& c, const Epilogue& e, int64_t g, const Piece& piece,
                  const Matrices& m) {
  HWY_DYNAMIC_DISPATCH(finish_group)(c, e, g, piece, m);
}

}  // namespace fovea::simd::winograd
#endif
