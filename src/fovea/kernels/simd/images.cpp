// NormalizeImages from u8 or u16 to f32, bf16 or f16, plain or channels-last, by a table of all
// values per channel: each element is the float64 formula rounded once, for bf16 and f16 twice.
#include "fovea/ops/images.h"

#include <limits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd {
namespace {

template <class Pixel, class T>
std::vector<std::vector<T>> tables(const NormalizeImages& op) {
  constexpr size_t white = std::numeric_limits<Pixel>::max();
  std::vector<std::vector<T>> result(op.mean.size());
  for (size_t c = 0; c < result.size(); ++c) {
    for (size_t value = 0; value <= white; ++value) {
      result[c].push_back(static_cast<T>(
          static_cast<float>((static_cast<double>(value) / white - op.mean[c]) / op.std[c])));
    }
  }
  return result;
}

/// A row of pixels with `channels`, if that is not 0, or as many as there are tables: those of a
/// pixel are `apart` elements apart in `to`, and pixels `step`.
template <int64_t channels, class Pixel, class T>
void normalize_row(const std::vector<std::vector<T>>& table, const Pixel* from, int64_t pixels,
                   T* to, int64_t apart, int64_t step) {
  const int64_t count = channels > 0 ? channels : std::ssize(table);
  const T* values[channels > 0 ? channels : 1];
  if constexpr (channels > 0) {
    for (int64_t c = 0; c < channels; ++c) values[c] = table[static_cast<size_t>(c)].data();
  }
  for (int64_t p = 0; p < pixels; ++p, from += count, to += step) {
    for (int64_t c = 0; c < count; ++c) {
      const T* known = channels > 0 ? values[c] : table[static_cast<size_t>(c)].data();
      to[c * apart] = known[from[c]];
    }
  }
}

template <class Pixel, class T>
Offer normalize_to(const Problem& problem) {
  const Type& y = problem.out[0];
  const int64_t channels = y.dim(1), rows = y.dim(2), columns = y.dim(3);
  const bool last = y.layout == Layout::channels_last;
  const int64_t step = last ? channels : 1, apart = last ? 1 : rows * columns;
  return offer([=, images = y.dim(0),
                table = tables<Pixel, T>(problem.op.get<NormalizeImages>())](const Args& args) {
    const int64_t length = columns * channels;
    const int64_t grain = elementwise_grain / 4 / std::max<int64_t>(1, length);
    parallel_for(images * rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Pixel* x = args.input<Pixel>(0) + i * length;
        T* out = args.output<T>(0) + i / rows * rows * length + i % rows * columns * step;
        (channels == 3 ? normalize_row<3, Pixel, T> : normalize_row<0, Pixel, T>)(table, x, columns,
                                                                                  out, apart, step);
      }
    });
  });
}

}  // namespace

std::vector<Layouts> normalize_images_layouts(const Problem&) {
  return {{{Layout::plain}, {weights_fixed ? Layout::channels_last : Layout::plain}}};
}

Offer make_normalize_images(const Problem& problem) {
  const DType dtype = problem.out[0].dtype;
  if (problem.out[0].layout == Layout::blocked16) return Refusal{"only plain and channels-last"};
  if (!is_float(dtype) || dtype == DType::f64) return Refusal{"only to f32, bf16 and f16"};
  const bool deep = problem.in[0].dtype == DType::u16;
  return with_float(dtype, [&]<class T>(T) {
    return deep ? normalize_to<uint16_t, T>(problem) : normalize_to<uint8_t, T>(problem);
  });
}

}  // namespace fovea::simd
