// NormalizeImages from u8 to f32, bf16 or f16 in plain layout, by a table of the 256 values per
// channel: each element is the float64 formula rounded once, for bf16 and f16 twice.
#include "fovea/ops/images.h"

#include <array>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"

namespace fovea::simd {
namespace {

template <class T>
using Table = std::array<T, 256>;

template <class T>
std::vector<Table<T>> tables(const NormalizeImages& op) {
  std::vector<Table<T>> result(op.mean.size());
  for (size_t c = 0; c < result.size(); ++c) {
    for (size_t value = 0; value < 256; ++value) {
      result[c][value] = static_cast<T>(
          static_cast<float>((static_cast<double>(value) / 255 - op.mean[c]) / op.std[c]));
    }
  }
  return result;
}

template <class T>
Offer normalize_to(const Problem& problem) {
  const Type& y = problem.out[0];
  const int64_t images = y.dim(0), channels = y.dim(1), plane = y.shape.slice(2).numel();
  return offer([=, table = tables<T>(problem.op.get<NormalizeImages>())](const Args& args) {
    const int64_t grain = elementwise_grain / 4 / std::max<int64_t>(1, plane);
    parallel_for(images * channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t c = i % channels;
        const uint8_t* x = args.input<uint8_t>(0) + i / channels * channels * plane + c;
        T* out = args.output<T>(0) + i * plane;
        const Table<T>& values = table[static_cast<size_t>(c)];
        for (int64_t p = 0; p < plane; ++p) out[p] = values[x[p * channels]];
      }
    });
  });
}

}  // namespace

Offer make_normalize_images(const Problem& problem) {
  const DType dtype = problem.out[0].dtype;
  if (!is_simd_float(dtype)) return Refusal{"only to f32, bf16 and f16"};
  return with_float(dtype, [&]<class T>(T) { return normalize_to<T>(problem); });
}

}  // namespace fovea::simd
