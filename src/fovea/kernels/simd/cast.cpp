// Casts between the computing types, any layout. Floats become integers by truncation, all else is
// rounded once, but twice when types of more than 24 bits become bf16 or f16.
#include <algorithm>
#include <type_traits>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/shape_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/cast.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

template <class From, class To>
HWY_INLINE void copy_numbers(const From* x, To* y, int64_t n) {
  for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE { at.store(at.load(x + i), y + i); });
}

void to_bf16(const float* x, Bf16* y, int64_t n) { copy_numbers(x, y, n); }
void from_bf16(const Bf16* x, float* y, int64_t n) { copy_numbers(x, y, n); }
void to_f16(const float* x, F16* y, int64_t n) { copy_numbers(x, y, n); }
void from_f16(const F16* x, float* y, int64_t n) { copy_numbers(x, y, n); }

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(to_bf16);
HWY_EXPORT(from_bf16);
HWY_EXPORT(to_f16);
HWY_EXPORT(from_f16);

template <class T>
constexpr bool is_half = std::is_same_v<T, Bf16> || std::is_same_v<T, F16>;

template <class From, class To>
void convert(const From* x, To* y, int64_t n) {
  constexpr bool from_float = std::is_same_v<From, float>, to_float = std::is_same_v<To, float>;
  if constexpr (from_float && std::is_same_v<To, Bf16>) {
    HWY_DYNAMIC_DISPATCH(to_bf16)(x, y, n);
  } else if constexpr (std::is_same_v<From, Bf16> && to_float) {
    HWY_DYNAMIC_DISPATCH(from_bf16)(x, y, n);
  } else if constexpr (from_float && std::is_same_v<To, F16>) {
    HWY_DYNAMIC_DISPATCH(to_f16)(x, y, n);
  } else if constexpr (std::is_same_v<From, F16> && to_float) {
    HWY_DYNAMIC_DISPATCH(from_f16)(x, y, n);
  } else if constexpr (is_half<From> || is_half<To>) {
    std::transform(x, x + n, y, [](From v) { return static_cast<To>(static_cast<float>(v)); });
  } else {
    std::transform(x, x + n, y, [](From v) { return static_cast<To>(v); });
  }
}

template <class From, class To>
Offer cast_kernel(int64_t count) {
  return offer([count](const Args& args) {
    parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
      convert(args.input<From>(0) + begin, args.output<To>(0) + begin, end - begin);
    });
  });
}

/// Calls make(a value of the C++ type) for the computing types.
template <class Make>
Offer with_type(DType dtype, const Make& make) {
  switch (dtype) {
    case DType::f32:
      return make(float{});
    case DType::f64:
      return make(double{});
    case DType::bf16:
      return make(Bf16{});
    case DType::f16:
      return make(F16{});
    case DType::i64:
      return make(int64_t{});
    case DType::i32:
      return make(int32_t{});
    case DType::u8:
      return make(uint8_t{});
    default:
      return Refusal{"only f32, f64, bf16, f16, i64, i32 and u8"};
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
#endif
