// Arithmetic of two or three values whose shapes broadcast, and broadcasting of one, f32, bf16 or
// f16, any layouts. Axes that repeat alike are merged, so rows are long: along them an operand is
// contiguous or one number, unless its layout differs from the output's. Rounded once, for bf16 and
// f16 twice.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/walk.h"
#include "fovea/ops/arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/broadcast.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/arithmetic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// An operand's next elements along a row: contiguous, one number, or `step` apart.
template <class At, class T>
HWY_INLINE V operand(At at, const T* p, int64_t step, int64_t i) {
  if (step == 1) return at.load(p + i);
  if (step == 0) return all(*p);
  HWY_ALIGN float values[lanes] = {};
  for (size_t k = 0; k < at.count; ++k) values[k] = p[(i + static_cast<int64_t>(k)) * step];
  return hn::Load(F32(), values);
}

/// y = f(operands...) along `rows` rows; steps are those of y and the operands.
template <class F, class T, class... From>
HWY_INLINE void rows_with(const F& f, const Axis<1 + sizeof...(From)>& row,
                          const Offsets<1 + sizeof...(From)>& next, int64_t rows, T* y,
                          From... from) {
  const auto row_with = [&]<size_t... k>(std::index_sequence<k...>) FOVEA_INLINE {
    for_each_vector(0, row.size, [&](int64_t i, auto at) FOVEA_INLINE {
      at.store(f(operand(at, from, row.step[1 + k], i)...), y + i);
    });
    y += next[0];
    ((from += next[1 + k]), ...);
  };
  for (; rows > 0; --rows) row_with(std::index_sequence_for<From...>());
}

/// Row by row, starting at `at`.
void binary_rows(DType dtype, BinaryKind kind, const Axis<3>& row, const Offsets<3>& next,
                 int64_t rows, const Offsets<3>& at, const std::byte* a, const std::byte* b,
                 std::byte* y) {
  with_element(dtype, [&]<class T>(T) {
    with_binary(kind, [&](auto f) {
      rows_with(f, row, next, rows, as<T>(y) + at[0], as<T>(a) + at[1], as<T>(b) + at[2]);
    });
  });
}

void multiply_add_rows(DType dtype, const Axis<4>& row, const Offsets<4>& next, int64_t rows,
                       const Offsets<4>& at, const std::byte* x, const std::byte* scale,
                       const std::byte* shift, std::byte* y) {
  with_element(dtype, [&]<class T>(T) {
    const auto f = [](V a, V b, V c) FOVEA_INLINE { return hn::MulAdd(a, b, c); };
    rows_with(f, row, next, rows, as<T>(y) + at[0], as<T>(x) + at[1], as<T>(scale) + at[2],
              as<T>(shift) + at[3]);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(binary_rows);
HWY_EXPORT(multiply_add_rows);

/// Calls body(row, next, rows, at) for runs of rows, in parallel.
template <size_t n, class Body>
void run_rows(const Axes<n>& axes, const Body& body) {
  const Axis<n>& row = axes.back();
  const std::span outer(axes.data(), axes.size() - 1);
  const Offsets<n> next = outer.empty() ? Offsets<n>{} : outer.back().step;
  if (row.size == 0) return;
  parallel_for(steps_of(outer), elementwise_grain / row.size + 1, [&](int64_t begin, int64_t end) {
    for_each_run(outer, begin, end,
                 [&](const Offsets<n>& at, int64_t rows) { body(row, next, rows, at); });
  });
}

/// `axes` are those of y, a and b, in the order of y.
void run_binary(DType dtype, BinaryKind kind, const Axes<3>& axes, const std::byte* a,
                const std::byte* b, std::byte* y) {
  run_rows(axes,
           [&](const Axis<3>& row, const Offsets<3>& next, int64_t rows, const Offsets<3>& at) {
             HWY_DYNAMIC_DISPATCH(binary_rows)(dtype, kind, row, next, rows, at, a, b, y);
           });
}

}  // namespace

Offer make_broadcast_binary(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const BinaryKind kind = problem.op.get<BroadcastBinary>().kind;
  const auto axes = walk<3>({&problem.out[0], &problem.in[0], &problem.in[1]});
  return offer_in_place([kind, axes, dtype = problem.out[0].dtype](const Args& args) {
    run_binary(dtype, kind, axes, args.in[0], args.in[1], args.out[0]);
  });
}

Offer make_multiply_add(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const auto axes = walk<4>({&problem.out[0], &problem.in[0], &problem.in[1], &problem.in[2]});
  return offer_in_place([axes, dtype = problem.out[0].dtype](const Args& args) {
    run_rows(axes,
             [&](const Axis<4>& row, const Offsets<4>& next, int64_t rows, const Offsets<4>& at) {
               HWY_DYNAMIC_DISPATCH(multiply_add_rows)
               (dtype, row, next, rows, at, args.in[0], args.in[1], args.in[2], args.out[0]);
             });
  });
}

/// Broadcasting x is multiplying it by a broadcast 1.
Offer make_broadcast_to(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const DType dtype = problem.out[0].dtype;
  const Type scalar{dtype, {}};
  const auto axes = walk<3>({&problem.out[0], &problem.in[0], &scalar});
  return offer([axes, dtype, one = Array::full(dtype, {}, 1)](const Args& args) {
    run_binary(dtype, BinaryKind::mul, axes, args.in[0], one.raw(), args.out[0]);
  });
}

}  // namespace fovea::simd
#endif
