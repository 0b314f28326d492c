// The transforms of the gradient of a convolution's weights, for the files winograd_weights.cpp and
// winograd_matrices.cpp: compiled once per instruction set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_WINOGRAD_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_WINOGRAD_GRADIENT_INL_H
#undef FOVEA_KERNELS_SIMD_WINOGRAD_GRADIENT_INL_H
#else
#define FOVEA_KERNELS_SIMD_WINOGRAD_GRADIENT_INL_H
#endif

#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

template <class F>
HWY_INLINE void with_gradient_form(Form form, const F& f) {
  with_form<Stride::one, Stride::two>(form, f);
}

/// V of x.
void transform_inputs(const Patches& x, const std::byte* data, const Piece& piece, Range channels,
                      const Matrices& v) {
  with_element(x.image.dtype, [&]<class T>(T) {
    with_gradient_form(x.form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
      transform_patches<typename S::Input, axes>(x, as<T>(data), piece, channels, v);
    });
  });
}

/// Z of dy.
void transform_gradients(const Patches& dy, const std::byte* data, const Piece& piece,
                         Range channels, const Matrices& z) {
  with_element(dy.image.dtype, [&]<class T>(T) {
    with_gradient_form(dy.form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
      transform_patches<typename S::Gradient, axes>(dy, as<T>(data), piece, channels, z);
    });
  });
}

/// The taps of one row of dw, `dw_step` floats from channel to channel, from the sum of `parts`
/// rows of dU, `step` floats apart.
template <class F, int axes>
HWY_INLINE void finish_taps(const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                            float* dw, int64_t dw_step) {
  constexpr int64_t count_taps = axes == 2 ? 9 : 3;
  HWY_ALIGN float taps[count_taps][lanes];
  for (int64_t c = 0; c < channels; c += lanes) {
    const float* first = du.data + c;
    transform<F, axes>(
        [&](int i, int j) FOVEA_INLINE {
          const float* from = first + (i * 6 + j) * du.matrix;
          V sum = hn::Load(F32(), from);
          for (int64_t p = 1; p < parts; ++p) sum = hn::Add(sum, hn::Load(F32(), from + p * step));
          return sum;
        },
        [&](int i, int j, V v) FOVEA_INLINE { hn::Store(v, F32(), taps[3 * i + j]); });
    const int64_t count = std::min(lanes, channels - c);
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t tap = 0; tap < count_taps; ++tap) dw[(c + k) * dw_step + tap] = taps[tap][k];
    }
  }
}
void finish_row(Form form, const Matrices& du, int64_t parts, int64_t step, int64_t channels,
                float* dw, int64_t dw_step) {
  with_gradient_form(form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
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
#endif
