// Winograd's transforms of many tiles: of patches of x and dy, and of the gradient of U to that of
// the weights. Their code is long: all kernels share it.
#include <cstdlib>

#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops/norm_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_transforms.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/norm_epilogue-inl.h"
#include "fovea/kernels/simd/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

/// Calls f(c, access) for the channels of a range by vectors; `channels` is where memory ends.
template <class F>
HWY_INLINE void for_each_channel(Range range, int64_t channels, const F& f) {
  for_each_vector(range.begin, std::min(range.end, channels), f);
}

/// Fetches what the patch of a tile reads that neither the one before nor the one above it has
/// read, and of 5x5 some more: CPUs do not foresee it from the order in which patches are read.
template <class F, int axes, class T>
HWY_INLINE void fetch_patch(const Patches& p, const T* data, const Place& place, int64_t slice,
                            int64_t channel) {
  constexpr int rows = axes == 2 ? F::from : 1;
  constexpr int own = F::from == 9 ? 2 * tile : std::min<int>(tile, F::from);
  const Image& image = p.image;
  const T* first = data + image.offset(place.image, channel, slice, p.step * place.y - p.top,
                                       p.step * place.x - p.left);
  for (int i = std::max(0, rows - own); i < rows; ++i) {
    for (int j = F::from - own; j < F::from; ++j)
      Ahead::load(first + i * image.row + j * image.column);
  }
}

/// Values that are transformed as they are.
struct AsGiven {
  template <class At>
  HWY_INLINE auto of(int64_t, At) const {
    return [](V x) FOVEA_INLINE { return x; };
  }
};

/// What a batch norm and its activation make of them: in f32 the bits that its own kernel stores.
/// In lanes without a channel they stay 0, as all activations of norms keep it.
template <class A>
struct Normalised {
  const InputNorm& norm;
  A activation;

  template <class At>
  HWY_INLINE auto of(int64_t channel, At at) const {
    const V mean = at.load(norm.mean + channel), scale = at.load(norm.scale + channel);
    const V beta = at.load(norm.beta + channel);
    return [mean, scale, beta, activation = activation](V x)
               FOVEA_INLINE { return activation.value(hn::MulAdd(hn::Sub(x, mean), scale, beta)); };
  }
};

/// The transformed patches of some tiles of one slice, for some channels: one row per tile, one
/// column per channel from range.begin on. Lanes beyond the image's channels are 0.
template <class F, int axes, class T, class Prepare>
HWY_INLINE void transform_patches(const Patches& p, const T* data, const Prepare& prepare,
                                  const Piece& piece, Range channels, const Matrices& to) {
  constexpr int rows = axes == 2 ? F::from : 1;
  constexpr bool own = F::from <= tile;  // of a tile alone, not its neighbours' as well
  const Image& image = p.image;
  for_each_channel(channels, image.channels, [&](int64_t c, auto at) FOVEA_INLINE {
    float* row = to.data + (c - channels.begin);
    const int64_t matrix = to.matrix;
    const auto prepared = prepare.of(c, at);
    constexpr size_t ahead = 4;  // tiles
    for (size_t k = 0; k < piece.tiles.size(); ++k) {
      const Place& place = piece.tiles[k];
      size_t next = k + ahead;
      const bool wraps = next >= piece.tiles.size();  // to the next channels of the first tiles
      if (wraps) next -= piece.tiles.size();
      if (next < piece.tiles.size() && (!wraps || c + lanes < channels.end))
        fetch_patch<F, axes>(p, data, piece.tiles[next], piece.slice, wraps ? c + lanes : c);
      const int64_t y = p.step * place.y - p.top, x = p.step * place.x - p.left;
      const int64_t y_end = own ? y + place.rows : image.height;
      const int64_t x_end = own ? x + place.columns : image.width;
      const T* first = data + image.offset(place.image, c, piece.slice, y, x);
      const int64_t down = image.row, right = image.column;
      if constexpr (std::is_same_v<decltype(at), Whole> && !is_shared<F, T>) {
        if (y >= 0 && x >= 0 && y + rows <= y_end && x + F::from <= x_end) {
          transform<F, axes>(
              [&](int i, int j)
                  FOVEA_INLINE { return prepared(at.load(first + i * down + j * right)); },
              [&](int i, int j, V v)
                  FOVEA_INLINE { hn::Store(v, F32(), row + (i * F::to + j) * matrix); });
          row += to.row;
          continue;
        }
      }
      HWY_ALIGN float values[rows * F::from * lanes];
      for (int i = 0; i < rows; ++i) {
        const bool inside = y + i >= 0 && y + i < y_end;
        for (int j = 0; j < F::from; ++j) {
          const bool given = inside && x + j >= 0 && x + j < x_end;
          hn::Store(given ? prepared(at.load(first + i * down + j * right)) : all(0), F32(),
                    values + (i * F::from + j) * lanes);
        }
      }
      transform_floats<F, axes>(values, lanes, row, matrix);
      row += to.row;
    }
  });
}

/// Whether there is code for it: it is long, and most convolutions after norms are such.
template <class T, int axes, class S>
constexpr bool normalises = axes == 2 && std::is_same_v<S, Transforms<Stride::one>> &&
                            (std::is_same_v<T, float> || std::is_same_v<T, Bf16>);

void transform_inputs(const Patches& x, const std::byte* data, const InputNorm& norm,
                      const Piece& piece, Range channels, const Matrices& v) {
  Form form = x.form;
  form.kernel = 3;  // inputs of F(2, 5) are transformed as those of F(4, 3)
  with_element(x.image.dtype, [&]<class T>(T) {
    with_form<Stride::one, Stride::two, Stride::half>(
        form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
          const auto transform_all = [&](const auto& prepare) FOVEA_INLINE {
            transform_patches<typename S::Input, axes>(x, as<T>(data), prepare, piece, channels, v);
          };
          if (norm.mean == nullptr) return transform_all(AsGiven{});
          if constexpr (normalises<T, axes, S>) {
            if (norm.epilogue.activation == UnaryKind::relu)
              return transform_all(Normalised<Relu>{norm, {}});
            transform_all(Normalised<CalledActivation>{norm, CalledActivation(norm.epilogue)});
          } else {
            std::abort();  // can_normalise says no
          }
        });
  });
}

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

HWY_EXPORT(transform_inputs);
HWY_EXPORT(transform_gradients);
HWY_EXPORT(finish_row);
HWY_EXPORT(add_bias);

}  // namespace

bool can_normalise(const Patches& x) {
  return x.form.axes == 2 && x.form.stride == Stride::one && x.image.dtype != DType::f16;
}

InputNorm input_norm(const Op& op, const Args& args) {
  const auto norm_of = [&](const auto& conv) -> InputNorm {
    const size_t mean = conv.mean_input();
    return {args.input<float>(mean), args.input<float>(mean + 1), args.input<float>(mean + 2),
            conv.norm().epilogue};
  };
  if (const auto* conv = op.as<NormConv>(); conv != nullptr && conv->normalises)
    return norm_of(*conv);
  if (const auto* conv = op.as<NormConvBackwardWeights>()) return norm_of(*conv);
  return {};
}

void transform_inputs(const Patches& x, const std::byte* data, const InputNorm& norm,
                      const Piece& piece, Range channels, const Matrices& v) {
  HWY_DYNAMIC_DISPATCH(transform_inputs)(x, data, norm, piece, channels, v);
}
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
