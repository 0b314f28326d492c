// Winograd's transforms for the gradient of the weights alone: of dy, and of dU to dw.
#include "fovea/kernels/simd/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_gradients.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/winograd_patches-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

void transform_gradients(const Patches& dy, const std::byte* data, const Piece& piece,
                         Range channels, const Matrices& z) {
  with_element(dy.image.dtype, [&]<class T>(T) {
    with_form<Stride::one, Stride::two>(dy.form, [&]<int axes, class S>(
                                                     std::integral_constant<int, axes>, S) {
      transform_patches<typename S::Gradient, axes>(dy, as<T>(data), AsGiven{}, piece, channels, z);
    });
  });
}

/// The taps of one row of dw, `dw_step` floats from channel to channel, from the sum of `parts`
/// rows of dU, `step` floats apart.
template <class F, int axes>
HWY_INLINE void finish_taps(const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                            float* dw, int64_t dw_step) {
  constexpr int count_taps = axes == 2 ? F::to * F::to : F::to;
  constexpr int matrices = axes == 2 ? F::from * F::from : F::from;
  HWY_ALIGN float sums[matrices * lanes];
  HWY_ALIGN float taps[count_taps][lanes];
  for (int64_t c = 0; c < channels; c += lanes) {
    for (int k = 0; k < matrices; ++k) {
      const float* from = du.data + c + k * du.matrix;
      V sum = hn::Load(F32(), from);
      for (int64_t p = 1; p < parts; ++p) sum = hn::Add(sum, hn::Load(F32(), from + p * step));
      hn::Store(sum, F32(), sums + k * lanes);
    }
    transform_floats<F, axes>(sums, lanes, taps[0], lanes);
    const int64_t count = std::min(lanes, channels - c);
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t tap = 0; tap < count_taps; ++tap) dw[(c + k) * dw_step + tap] = taps[tap][k];
    }
  }
}
void finish_row(Form form, const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                float* dw, int64_t dw_step) {
  with_form<Stride::one, Stride::two>(
      form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
        finish_taps<typename S::WeightGradient, axes>(du, parts, step, channels, dw, dw_step);
      });
}

/// sums[o] += dy's values of some tiles, for some channels.
void add_bias(const Patches& dy, const std::byte* data, const Piece& piece, Range channels,
              double* sums) {
  const Image& image = dy.image;
  with_element(image.dtype, [&]<class T>(T) {
    for_each_vector(channels.begin, channels.end, [&](int64_t c, auto at) FOVEA_INLINE {
      V sum = all(0);
      for (const Place& place : piece.tiles) {
        const T* first = as<T>(data) + image.offset(place.image, c, piece.slice, place.y, place.x);
        for (int64_t i = 0; i < place.rows; ++i) {
          for (int64_t j = 0; j < place.columns; ++j)
            sum = hn::Add(sum, at.load(first + i * image.row + j * image.column));
        }
      }
      HWY_ALIGN float values[lanes];
      hn::Store(sum, F32(), values);
      const int64_t count = std::min(lanes, channels.end - c);
      for (int64_t k = 0; k < count; ++k)
        sums[c - channels.begin + k] += static_cast<double>(values[k]);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {
HWY_EXPORT(transform_gradients);
HWY_EXPORT(finish_row);
HWY_EXPORT(add_bias);
}  // namespace

void transform_gradients(const Patches& dy, const std::byte* data, const Piece& piece,
                         Range channels, const Matrices& z) {
  HWY_DYNAMIC_DISPATCH(transform_gradients)(dy, data, piece, channels, z);
}
void finish_row(Form form, const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                float* dw, int64_t dw_step) {
  HWY_DYNAMIC_DISPATCH(finish_row)(form, du, parts, step, channels, dw, dw_step);
}
void add_bias(const Patches& dy, const std::byte* data, const Piece& piece, Range channels,
              double* sums) {
  HWY_DYNAMIC_DISPATCH(add_bias)(dy, data, piece, channels, sums);
}

}  // namespace fovea::simd::winograd
#endif
