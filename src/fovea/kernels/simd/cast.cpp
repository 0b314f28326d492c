// Casts between the types that are computed with, any layout. Floats become integers by truncation,
// all else rounds once,
// what becomes bf16 from more than 24 bits twice.
#include <algorithm>
#include <type_traits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::simd {
namespace {

template <class To, class From>
To converted(From value) {
  if constexpr (std::is_same_v<To, Bf16> || std::is_same_v<From, Bf16>)
    return static_cast<To>(static_cast<float>(value));
  else
    return static_cast<To>(value);
}

template <class From, class To>
Offer cast_kernel(int64_t count) {
  return offer([count](const Args& args) {
    const From* x = args.input<From>(0);
    To* y = args.output<To>(0);
    parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
      std::transform(x + begin, x + end, y + begin, [](From v) { return converted<To>(v); });
    });
  });
}

/// Calls make(a value of the C++ type) for the types that are computed with.
template <class Make>
Offer with_type(DType dtype, const Make& make) {
  switch (dtype) {
    case DType::f32:
      return make(float{});
    case DType::f64:
      return make(double{});
    case DType::bf16:
      return make(Bf16{});
    case DType::i64:
      return make(int64_t{});
    case DType::i32:
      return make(int32_t{});
    case DType::u8:
      return make(uint8_t{});
    default:
      return Refusal{"only f32, f64, bf16, i64, i32 and u8"};
  }
}

}  // namespace

Offer make_cast(const Problem& problem) {
  const int64_t count = problem.in[0].numel();
  return with_type(problem.in[0].dtype, [&](auto from) {
    return with_type(problem.out[0].dtype, [&](auto to) -> Offer {
      return cast_kernel<decltype(from), decltype(to)>(count);
    });
  });
}

}  // namespace fovea::simd
