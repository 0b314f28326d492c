// Arithmetic of two f32 values whose shapes broadcast, and repeating one, any layouts. Axes that
// repeat alike are walked as one, so a row is long: along it an operand lies side by side or is one
// number, but where its layout is another than the output's. Rounded once.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/kernels/simd/walk.h"
#include "fovea/ops/arithmetic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/broadcast.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

/// An operand's next elements along a row: side by side, one number, or `step` apart.
template <class At>
HWY_INLINE V operand(At at, const float* p, int64_t step, int64_t i) {
  if (step == 1) return at.load(p + i);
  if (step == 0) return all(*p);
  HWY_ALIGN float values[lanes] = {};
  for (size_t k = 0; k < at.count; ++k) values[k] = p[(i + static_cast<int64_t>(k)) * step];
  return hn::Load(F32(), values);
}

/// y = f(a, b) along `rows` rows; steps are of y, a and b.
template <class F>
HWY_INLINE void rows_with(const F& f, const Axis<3>& row, const Offsets<3>& next, int64_t rows,
                          const float* a, const float* b, float* y) {
  for (; rows > 0; --rows, y += next[0], a += next[1], b += next[2]) {
    for_each_vector(0, row.size, [&](int64_t i, auto at) FOVEA_INLINE {
      at.store(f(operand(at, a, row.step[1], i), operand(at, b, row.step[2], i)), y + i);
    });
  }
}

void binary_rows(BinaryKind kind, const Axis<3>& row, const Offsets<3>& next, int64_t rows,
                 const float* a, const float* b, float* y) {
  const auto run = [&](const auto& f) { rows_with(f, row, next, rows, a, b, y); };
  switch (kind) {
    case BinaryKind::add:
      return run([](V p, V q) FOVEA_INLINE { return hn::Add(p, q); });
    case BinaryKind::sub:
      return run([](V p, V q) FOVEA_INLINE { return hn::Sub(p, q); });
    case BinaryKind::mul:
      return run([](V p, V q) FOVEA_INLINE { return hn::Mul(p, q); });
    case BinaryKind::div:
      return run([](V p, V q) FOVEA_INLINE { return hn::Div(p, q); });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(binary_rows);

/// `axes` are of y, a and b, in the order of y.
void run_rows(BinaryKind kind, const Axes<3>& axes, const float* a, const float* b, float* y) {
  const Axis<3>& row = axes.back();
  const std::span outer(axes.data(), axes.size() - 1);
  const Offsets<3> next = outer.empty() ? Offsets<3>{} : outer.back().step;
  if (row.size == 0) return;
  parallel_for(steps_of(outer), elementwise_grain / row.size + 1, [&](int64_t begin, int64_t end) {
    for_each_run(outer, begin, end, [&](const Offsets<3>& at, int64_t rows) {
      HWY_DYNAMIC_DISPATCH(binary_rows)
      (kind, row, next, rows, a + at[1], b + at[2], y + at[0]);
    });
  });
}

}  // namespace

Offer make_broadcast_binary(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const BinaryKind kind = problem.op.as<BroadcastBinary>()->kind;
  const auto axes = walk<3>({&problem.out[0], &problem.in[0], &problem.in[1]});
  return offer([kind, axes](const Args& args) {
    run_rows(kind, axes, args.input<float>(0), args.input<float>(1), args.output<float>(0));
  });
}

/// x repeated is x times a 1 that is repeated everywhere.
Offer make_broadcast_to(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const Type scalar{DType::f32, {}};
  const auto axes = walk<3>({&problem.out[0], &problem.in[0], &scalar});
  return offer([axes](const Args& args) {
    const float one = 1;
    run_rows(BinaryKind::mul, axes, args.input<float>(0), &one, args.output<float>(0));
  });
}

}  // namespace fovea::simd
#endif
