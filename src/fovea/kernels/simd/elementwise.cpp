// Ops whose output element i depends on input elements i: activations and their gradients,
// arithmetic of two values and with constants, binary cross-entropy; f32, bf16 or f16. Any layout,
// as long as all values share it. The error bounds of activations are in activations-inl.h;
// arithmetic is rounded once, for bf16 and f16 twice; binary cross-entropy is within 8 eps of its
// value for targets from 0 to 1.
#include "fovea/core/parallel.h"
#include "fovea/kernels/simd/simd.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/distance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/elementwise.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/arithmetic-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

void unary(DType dtype, UnaryKind kind, float alpha, const std::byte* x, std::byte* y,
           int64_t begin, int64_t end) {
  with_element(dtype, [&]<class T>(T) {
    with_activation(kind, alpha, [&](auto activation) {
      for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
        at.store(activation.value(at.load(as<T>(x) + i)), as<T>(y) + i);
      });
    });
  });
}

void unary_backward(DType dtype, UnaryKind kind, float alpha, const std::byte* x,
                    const std::byte* dy, std::byte* dx, int64_t begin, int64_t end) {
  with_element(dtype, [&]<class T>(T) {
    with_activation(kind, alpha, [&](auto activation) {
      for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
        const V slope = activation.slope(at.load(as<T>(x) + i));
        at.store(hn::Mul(at.load(as<T>(dy) + i), slope), as<T>(dx) + i);
      });
    });
  });
}

void binary(DType dtype, BinaryKind kind, const std::byte* a, const std::byte* b, std::byte* y,
            int64_t begin, int64_t end) {
  with_element(dtype, [&]<class T>(T) {
    with_binary(kind, [&](auto f) {
      for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
        at.store(f(at.load(as<T>(a) + i), at.load(as<T>(b) + i)), as<T>(y) + i);
      });
    });
  });
}

void affine(DType dtype, float scale, float shift, const std::byte* x, std::byte* y, int64_t begin,
            int64_t end) {
  with_element(dtype, [&]<class T>(T) {
    for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
      at.store(hn::MulAdd(all(scale), at.load(as<T>(x) + i), all(shift)), as<T>(y) + i);
    });
  });
}

/// |x| (1 - t), or |x| t if x is negative, plus log(1 + exp(-|x|)): none loses digits.
void binary_cross_entropy(DType dtype, const std::byte* x, const std::byte* t, std::byte* y,
                          int64_t begin, int64_t end) {
  with_element(dtype, [&]<class T>(T) {
    for_each_vector(begin, end, [&](int64_t i, auto at) FOVEA_INLINE {
      const V logit = at.load(as<T>(x) + i), target = at.load(as<T>(t) + i);
      const V miss = hn::IfThenElse(hn::Gt(logit, all(0)), hn::Sub(all(1), target), target);
      const V rest = hn::Log1p(F32(), exp(hn::Neg(hn::Abs(logit))));
      at.store(hn::MulAdd(hn::Abs(logit), miss, rest), as<T>(y) + i);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd {
namespace {

HWY_EXPORT(unary);
HWY_EXPORT(unary_backward);
HWY_EXPORT(binary);
HWY_EXPORT(affine);
HWY_EXPORT(binary_cross_entropy);

/// The number of elements that is worth a thread.
int64_t grain_of(UnaryKind kind) {
  const bool cheap = kind == UnaryKind::relu || kind == UnaryKind::leaky_relu ||
                     kind == UnaryKind::relu6 || kind == UnaryKind::hardsigmoid ||
                     kind == UnaryKind::hardswish;
  return cheap ? elementwise_grain : elementwise_grain / 8;
}

}  // namespace

Offer make_unary(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Unary op = problem.op.get<Unary>();
  const DType dtype = problem.in[0].dtype;
  const int64_t count = problem.in[0].numel();
  return offer_in_place([dtype, op, count](const Args& args) {
    parallel_for(count, grain_of(op.kind), [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(unary)
      (dtype, op.kind, static_cast<float>(op.alpha), args.in[0], args.out[0], begin, end);
    });
  });
}

Offer make_unary_backward(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const UnaryBackward op = problem.op.get<UnaryBackward>();
  const DType dtype = problem.in[0].dtype;
  const int64_t count = problem.in[0].numel();
  return offer_in_place([dtype, op, count](const Args& args) {
    parallel_for(count, grain_of(op.kind), [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(unary_backward)
      (dtype, op.kind, static_cast<float>(op.alpha), args.in[0], args.in[1], args.out[0], begin,
       end);
    });
  });
}

Offer make_binary(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const BinaryKind kind = problem.op.get<Binary>().kind;
  const DType dtype = problem.in[0].dtype;
  const int64_t count = problem.in[0].numel();
  return offer_in_place([dtype, kind, count](const Args& args) {
    parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(binary)
      (dtype, kind, args.in[0], args.in[1], args.out[0], begin, end);
    });
  });
}

Offer make_affine(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const Affine op = problem.op.get<Affine>();
  const DType dtype = problem.in[0].dtype;
  const int64_t count = problem.in[0].numel();
  return offer_in_place([dtype, op, count](const Args& args) {
    parallel_for(count, elementwise_grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(affine)
      (dtype, static_cast<float>(op.scale), static_cast<float>(op.shift), args.in[0], args.out[0],
       begin, end);
    });
  });
}

Offer make_binary_cross_entropy(const Problem& problem) {
  if (auto refusal = unless_one_float(problem)) return *refusal;
  const DType dtype = problem.in[0].dtype;
  const int64_t count = problem.in[0].numel();
  return offer_in_place([dtype, count](const Args& args) {
    parallel_for(count, elementwise_grain / 8, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(binary_cross_entropy)
      (dtype, args.in[0], args.in[1], args.out[0], begin, end);
    });
  });
}

Offer make_increment(const Problem& problem) {
  if (problem.in[0].dtype != DType::i64) return Refusal{"only i64"};
  const int64_t count = problem.in[0].numel();
  return offer_in_place([count](const Args& args) {
    const int64_t* x = args.input<int64_t>(0);
    std::transform(x, x + count, args.output<int64_t>(0), [](int64_t v) { return v + 1; });
  });
}

}  // namespace fovea::simd
#endif
