// NormalizeImages from u8 or u16 to f32, bf16 or f16 in plain layout, by a table of all values per
// channel: each element is the float64 formula rounded once, for bf16 and f16 twice.
#include "fovea/ops/images.h"

#include <limits>

#include "fovea/core/parallel.h"
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

template <class Pixel, class T>
Offer normalize_to(const Problem& problem) {
  const Type& y = problem.out[0];
  const int64_t images = y.dim(0), channels = y.dim(1), plane = y.shape.slice(2).numel();
  return offer([=, table = tables<Pixel, T>(problem.op.get<NormalizeImages>())](const Args& args) {
    const int64_t grain = elementwise_grain / 4 / std::max<int64_t>(1, plane);
    parallel_for(images * channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t c = i % channels;
        const Pixel* x = args.input<Pixel>(0) + i / channels * channels * plane + c;
        T* out = args.output<T>(0) + i * plane;
        const T* values = table[static_cast<size_t>(c)].data();
        for (int64_t p = 0; p < plane; ++p) out[p] = values[x[p * channels]];
      }
    });
  });
}

}  // namespace

Offer make_normalize_images(const Problem& problem) {
  const DType dtype = problem.out[0].dtype;
  if (!is_float(dtype) || dtype == DType::f64) return Refusal{"only to f32, bf16 and f16"};
  const bool deep = problem.in[0].dtype == DType::u16;
  return with_float(dtype, [&]<class T>(T) {
    return deep ? normalize_to<uint16_t, T>(problem) : normalize_to<uint8_t, T>(problem);
  });
}

}  // namespace fovea::simd
