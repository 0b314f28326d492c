// The activations on vectors, each with its derivative: compiled once per instruction set.
//
// Error bounds, in eps = 2^-23: 1 times |y| for relu, leaky_relu, relu6, abs and
// sign, 2 times |y| for sqrt, 4 times |y| for exp and log, 4 + 2 |x log base|
// times |y| for pow; times max(1, |y|) 2 for the hard ones and 6 for the others.
// For bf16 another 2^-8 of |y|. erf is 1 - (a1 t + ... + a5 t^5) exp(-z^2), t =
// 1 / (1 + p z) (Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7).
#if defined(FOVEA_KERNELS_SIMD_ACTIVATIONS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_ACTIVATIONS_INL_H
#undef FOVEA_KERNELS_SIMD_ACTIVATIONS_INL_H
#else
#define FOVEA_KERNELS_SIMD_ACTIVATIONS_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>

#include <cmath>
#include <limits>

#include "fovea/kernels/simd/vectors-inl.h"
#include "fovea/ops/activation.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

HWY_INLINE V nan_of(V x, V result) { return hn::IfThenElse(hn::IsNaN(x), x, result); }

/// Highway's functions are only valid within a range; these for every float.
HWY_INLINE V exp(V x) { return nan_of(x, hn::Exp(F32(), hn::Min(x, all(89)))); }
HWY_INLINE V log(V x) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const V zero = all(0);
  V y = hn::Log(F32(), x);
  y = hn::IfThenElse(hn::Eq(x, all(inf)), x, y);
  y = hn::IfThenElse(hn::Eq(x, zero), all(-inf), y);
  return nan_of(x,
                hn::IfThenElse(hn::Lt(x, zero), all(std::numeric_limits<float>::quiet_NaN()), y));
}
HWY_INLINE V tanh(V x) { return nan_of(x, hn::Tanh(F32(), x)); }

/// exp(x) as fraction * power, for x from -87 to 87, or NaN: the fraction is between 0.7 and 1.5,
/// the power one of 2. x / log 2 = n + r; the polynomial in r is the one of its degree whose
/// relative error on +-0.5 is the smallest, 0.7 eps. The rounded log 2 adds 0.1 |x| eps to that,
/// too much for an exp of its own, but not for 1 / (1 + exp(x)) or tails, since |x| exp(-|x|) is at
/// most 0.4. The polynomial's terms are added in pairs, which makes the chain of operations
/// shorter.
struct Exponential {
  V fraction, power;
  V value() const { return hn::Mul(fraction, power); }
};
HWY_INLINE Exponential exponential(V x) {
  constexpr float log2_e = 1.44269504f;
  constexpr float shift =
      12582912 + 127;  // leaves n + 127, the exponent of 2^n, in the lowest bits
  const V shifted = hn::MulAdd(x, all(log2_e), all(shift));
  const auto bits = hn::BitCast(hn::RebindToUnsigned<F32>(), shifted);
  const V r = hn::MulSub(x, all(log2_e), hn::Sub(shifted, all(shift))), r2 = hn::Mul(r, r);
  const V p01 = hn::MulAdd(r, all(0.693146967f), all(1.00000007f)),
          p23 = hn::MulAdd(r, all(5.55071327e-2f), all(0.240221197f)),
          p45 = hn::MulAdd(r, all(1.32764720e-3f), all(9.67554133e-3f));
  return {hn::MulAdd(hn::MulAdd(p45, r2, p23), r2, p01),
          hn::BitCast(F32(), hn::ShiftLeft<23>(bits))};
}

/// 1 / x for finite x from 1, within 1 eps. With AVX-512 approximations have 14 bits, so that one
/// step of Newton's is enough, and faster than a division.
HWY_INLINE V reciprocal(V x) {
#if HWY_TARGET <= HWY_AVX3
  const V y = hn::ApproximateReciprocal(x);
  return hn::Mul(y, hn::NegMulAdd(x, y, all(2)));
#else
  return hn::Div(all(1), x);
#endif
}

/// 1 / (1 + exp(-x)) and 1 / (1 + exp(x)), both without cancellation; 0 where they are below 1e-37,
/// so that the product with any finite x is, too.
struct Logistic {
  V of_x, of_minus_x;
};
HWY_INLINE Logistic logistic(V x) {
  const V low = all(-87), high = all(87);
  // Of a NaN and a number, Min and Max give the second argument.
  const Exponential e = exponential(hn::Min(high, hn::Max(low, hn::Neg(x))));
  const V large = reciprocal(hn::MulAdd(e.fraction, e.power, all(1)));
  return {hn::IfThenZeroElse(hn::Lt(x, low), large),
          hn::IfThenZeroElse(hn::Gt(x, high), hn::Mul(e.value(), large))};
}

/// The normal distribution at x: its cumulative distribution and its density.
struct Normal {
  V integral, density;
};
HWY_INLINE Normal normal(V x) {
  const V z = hn::Mul(hn::Abs(x), all(0.70710678f)), end = all(9.3f);
  const V near = hn::Min(end, z);  // NaN if z is
  const V e = hn::IfThenZeroElse(hn::Gt(z, end), exponential(hn::Neg(hn::Mul(near, near))).value());
  const V t = reciprocal(hn::MulAdd(all(0.3275911f), near, all(1)));
  V p = all(1.061405429f);
  for (float a : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
    p = hn::MulAdd(p, t, all(a));
  const V tail = hn::Mul(hn::Mul(hn::Mul(p, t), e), all(0.5f));  // the probability beyond |x|
  return {hn::IfThenElse(hn::Lt(x, all(0)), tail, hn::Sub(all(1), tail)),
          hn::Mul(e, all(0.39894228f))};
}

struct Relu {
  V value(V x) const { return relu(x); }
  V slope(V x) const { return hn::IfThenZeroElse(hn::Le(x, all(0)), all(1)); }
};

struct LeakyRelu {
  float alpha;
  V value(V x) const { return hn::IfThenElse(hn::Gt(x, all(0)), x, hn::Mul(all(alpha), x)); }
  V slope(V x) const { return hn::IfThenElse(hn::Gt(x, all(0)), all(1), all(alpha)); }
};

struct Relu6 {
  V value(V x) const { return hn::IfThenElse(hn::Ge(x, all(6)), all(6), relu(x)); }
  V slope(V x) const {
    return hn::IfThenZeroElse(hn::Or(hn::Le(x, all(0)), hn::Ge(x, all(6))), all(1));
  }
};

struct Elu {
  float alpha;
  V value(V x) const {
    const V bend = nan_of(x, hn::Expm1(F32(), hn::Min(x, all(0))));
    return hn::IfThenElse(hn::Gt(x, all(0)), x, hn::Mul(all(alpha), bend));
  }
  V slope(V x) const {
    return hn::IfThenElse(hn::Gt(x, all(0)), all(1), hn::Mul(all(alpha), exp(x)));
  }
};

struct Gelu {
  V value(V x) const { return hn::Mul(x, normal(x).integral); }
  V slope(V x) const {
    const Normal n = normal(x);
    return hn::MulAdd(x, n.density, n.integral);
  }
};

struct GeluTanh {  // (1 + tanh(u)) / 2 is the logistic function of 2 u
  static constexpr float scale = 1.5957691f, cubic = 0.044715f;
  V value(V x) const { return hn::Mul(x, logistic(inner(x)).of_x); }
  V slope(V x) const {
    const Logistic s = logistic(inner(x));
    const V rise = hn::Mul(all(scale), hn::MulAdd(all(3 * cubic), hn::Mul(x, x), all(1)));
    return hn::MulAdd(hn::Mul(hn::Mul(x, s.of_x), s.of_minus_x), rise, s.of_x);
  }
  static V inner(V x) {
    return hn::Mul(hn::Mul(x, all(scale)), hn::MulAdd(all(cubic), hn::Mul(x, x), all(1)));
  }
};

struct Silu {
  HWY_INLINE V value(V x) const { return hn::Mul(x, logistic(x).of_x); }
  V slope(V x) const {
    const Logistic s = logistic(x);
    return hn::Mul(s.of_x, hn::MulAdd(x, s.of_minus_x, all(1)));
  }
};

struct Sigmoid {
  V value(V x) const { return logistic(x).of_x; }
  V slope(V x) const {
    const Logistic s = logistic(x);
    return hn::Mul(s.of_x, s.of_minus_x);
  }
};

struct Tanh {
  V value(V x) const { return tanh(x); }
  V slope(V x) const {
    const V t = tanh(x);
    return hn::NegMulAdd(t, t, all(1));
  }
};

struct Mish {  // tanh(log(1 + exp(x))) is n / (n + m), both scaled by exp(-2 x) where x > 0
  struct Ratio {
    V n, m;
  };
  static Ratio ratio(V x) {
    const V e = exp(hn::Neg(hn::Abs(x))), e2 = hn::Mul(e, e);
    const auto positive = hn::Ge(x, all(0));
    return {hn::MulAdd(all(2), e, hn::IfThenElse(positive, all(1), e2)),
            hn::Mul(all(2), hn::IfThenElse(positive, e2, all(1)))};
  }
  V value(V x) const {
    const Ratio r = ratio(x);
    return hn::Mul(x, hn::Div(r.n, hn::Add(r.n, r.m)));
  }
  V slope(V x) const {
    const Ratio r = ratio(x);
    const V sum = hn::Add(r.n, r.m);
    const V one_minus_t2 = hn::Div(hn::Mul(r.m, hn::Add(r.n, sum)), hn::Mul(sum, sum));
    return hn::MulAdd(hn::Mul(x, one_minus_t2), logistic(x).of_x, hn::Div(r.n, sum));
  }
};

struct HardSigmoid {
  V value(V x) const {
    V y = hn::MulAdd(x, all(1.0f / 6), all(0.5f));
    y = hn::IfThenElse(hn::Ge(x, all(3)), all(1), y);
    return hn::IfThenZeroElse(hn::Le(x, all(-3)), y);
  }
  V slope(V x) const {
    return hn::IfThenZeroElse(hn::Or(hn::Le(x, all(-3)), hn::Ge(x, all(3))), all(1.0f / 6));
  }
};

struct HardSwish {
  V value(V x) const {
    V y = hn::Mul(hn::Mul(x, hn::Add(x, all(3))), all(1.0f / 6));
    y = hn::IfThenElse(hn::Ge(x, all(3)), x, y);
    return hn::IfThenElse(hn::Le(x, all(-3)), hn::Mul(x, all(0)), y);  // NaN for -inf
  }
  V slope(V x) const {
    V y = hn::MulAdd(x, all(1.0f / 3), all(0.5f));
    y = hn::IfThenElse(hn::Ge(x, all(3)), all(1), y);
    return hn::IfThenZeroElse(hn::Le(x, all(-3)), y);
  }
};

struct Exp {
  V value(V x) const { return exp(x); }
  V slope(V x) const { return exp(x); }
};

struct Log {
  V value(V x) const { return log(x); }
  V slope(V x) const { return hn::Div(all(1), x); }
};

struct Sqrt {
  V value(V x) const { return hn::Sqrt(x); }
  V slope(V x) const { return hn::Div(all(0.5f), hn::Sqrt(x)); }
};

struct Sign {
  V value(V x) const {
    const V one = hn::IfThenZeroElse(hn::Eq(x, all(0)), all(1));
    return nan_of(x, hn::CopySign(one, x));
  }
  V slope(V) const { return all(0); }
};

struct Abs {
  V value(V x) const { return hn::Abs(x); }
  V slope(V x) const { return Sign{}.value(x); }
};

struct Pow {
  float log_of_base;
  V value(V x) const { return exp(hn::Mul(x, all(log_of_base))); }
  V slope(V x) const { return hn::Mul(all(log_of_base), value(x)); }
};

/// Calls f with the activation of this kind.
template <class F>
HWY_INLINE void with_activation(UnaryKind kind, float alpha, const F& f) {
  switch (kind) {
    case UnaryKind::relu:
      return f(Relu{});
    case UnaryKind::leaky_relu:
      return f(LeakyRelu{alpha});
    case UnaryKind::relu6:
      return f(Relu6{});
    case UnaryKind::elu:
      return f(Elu{alpha});
    case UnaryKind::gelu:
      return f(Gelu{});
    case UnaryKind::gelu_tanh:
      return f(GeluTanh{});
    case UnaryKind::silu:
      return f(Silu{});
    case UnaryKind::sigmoid:
      return f(Sigmoid{});
    case UnaryKind::tanh:
      return f(Tanh{});
    case UnaryKind::mish:
      return f(Mish{});
    case UnaryKind::hardsigmoid:
      return f(HardSigmoid{});
    case UnaryKind::hardswish:
      return f(HardSwish{});
    case UnaryKind::exp:
      return f(Exp{});
    case UnaryKind::log:
      return f(Log{});
    case UnaryKind::sqrt:
      return f(Sqrt{});
    case UnaryKind::abs:
      return f(Abs{});
    case UnaryKind::sign:
      return f(Sign{});
    case UnaryKind::pow:
      return f(Pow{std::log(alpha)});
  }
}

/// Applies an activation in place to n floats, aligned entire vectors. Called, not inlined: it is
/// eighteen loops, which would be compiled for each type and layout.
HWY_NOINLINE inline void activate(UnaryKind kind, double alpha, float* values, int64_t n) {
  with_activation(kind, static_cast<float>(alpha), [&](auto activation) {
    for (int64_t i = 0; i < n; i += lanes)
      hn::Store(activation.value(hn::Load(F32(), values + i)), F32(), values + i);
  });
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
