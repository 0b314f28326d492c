// Arithmetic of two f32 values whose shapes broadcast, and repeating one, plain layout. Axes that
// repeat alike are walked as one, so a row is long: along it each operand lies side by side or is
// one number. Rounded once.
#include <algorithm>
#include <array>

#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
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

/// y[i] = f(a[i], b[i]) along a row; an operand with step 0 is one number.
template <class F>
HWY_INLINE void row_with(const F& f, const float* a, int64_t a_step, const float* b, int64_t b_step,
                         float* y, int64_t n) {
  const V first_a = hn::Set(F32(), a[0]), first_b = hn::Set(F32(), b[0]);
  for_each_vector(0, n, [&](int64_t i, auto at) FOVEA_INLINE {
    const V p = a_step == 0 ? first_a : at.load(a + i), q = b_step == 0 ? first_b : at.load(b + i);
    at.store(f(p, q), y + i);
  });
}

void row(BinaryKind kind, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y,
         int64_t n) {
  const auto run = [&](const auto& f) { row_with(f, a, a_step, b, b_step, y, n); };
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

HWY_EXPORT(row);

/// One or several axes of the output that both operands walk alike: their length, and how far each
/// operand moves a step (0: it is repeated).
struct Axis {
  int64_t size = 1, a = 0, b = 0;
};

/// How far an operand moves along each axis of the output.
std::array<int64_t, Shape::max_rank> steps(const Shape& operand, const Shape& out) {
  std::array<int64_t, Shape::max_rank> result{};
  int64_t step = 1;
  for (int i = operand.rank() - 1; i >= 0; --i) {
    result[static_cast<size_t>(i + out.rank() - operand.rank())] = operand[i] == 1 ? 0 : step;
    step *= operand[i];
  }
  return result;
}

/// The output's axes, outermost first, neighbours joined where both operands go on as they did; the
/// last one is the row.
std::vector<Axis> walk(const Shape& a, const Shape& b, const Shape& out) {
  const auto a_steps = steps(a, out), b_steps = steps(b, out);
  std::vector<Axis> axes{Axis{}};
  for (int i = out.rank(); i-- > 0;) {
    const Axis next{out[i], a_steps[static_cast<size_t>(i)], b_steps[static_cast<size_t>(i)]};
    Axis& inner = axes.back();
    if (next.size == 1) continue;
    if (inner.size == 1) {
      inner = next;
    } else if (next.a == inner.a * inner.size && next.b == inner.b * inner.size) {
      inner.size *= next.size;
    } else {
      axes.push_back(next);
    }
  }
  std::reverse(axes.begin(), axes.end());
  return axes;
}

void run_rows(BinaryKind kind, const std::vector<Axis>& axes, const float* a, const float* b,
              float* y) {
  const Axis& inner = axes.back();
  int64_t rows = 1;
  for (size_t k = 0; k + 1 < axes.size(); ++k) rows *= axes[k].size;
  if (inner.size == 0 || rows == 0) return;
  parallel_for(rows, elementwise_grain / inner.size + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t rest = r, a_at = 0, b_at = 0;
      for (size_t k = axes.size() - 1; k-- > 0;) {
        const int64_t index = rest % axes[k].size;
        rest /= axes[k].size;
        a_at += index * axes[k].a;
        b_at += index * axes[k].b;
      }
      HWY_DYNAMIC_DISPATCH(row)
      (kind, a + a_at, inner.a, b + b_at, inner.b, y + r * inner.size, inner.size);
    }
  });
}

}  // namespace

Offer make_broadcast_binary(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const BinaryKind kind = problem.op.as<BroadcastBinary>()->kind;
  const auto axes = walk(problem.in[0].shape, problem.in[1].shape, problem.out[0].shape);
  return offer([kind, axes](const Args& args) {
    run_rows(kind, axes, args.input<float>(0), args.input<float>(1), args.output<float>(0));
  });
}

/// x repeated is x times a 1 that is repeated everywhere.
Offer make_broadcast_to(const Problem& problem) {
  if (auto refusal = unless_f32(problem)) return *refusal;
  const auto axes = walk(problem.in[0].shape, Shape{}, problem.out[0].shape);
  return offer([axes](const Args& args) {
    const float one = 1;
    run_rows(BinaryKind::mul, axes, args.input<float>(0), &one, args.output<float>(0));
  });
}

}  // namespace fovea::simd
#endif
