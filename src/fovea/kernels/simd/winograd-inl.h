// Winograd's transforms of one tile and the products between them: compiled once per instruction
// set, so the guard toggles.
#if defined(FOVEA_KERNELS_SIMD_WINOGRAD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_WINOGRAD_INL_H
#undef FOVEA_KERNELS_SIMD_WINOGRAD_INL_H
#else
#define FOVEA_KERNELS_SIMD_WINOGRAD_INL_H
#endif

#include "fovea/kernels/simd/products-inl.h"
#include "fovea/kernels/simd/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd::HWY_NAMESPACE {

using namespace fovea::simd::HWY_NAMESPACE;  // NOLINT

HWY_INLINE V fma(float s, V x, V y) { return hn::MulAdd(all(s), x, y); }
HWY_INLINE V fnma(float s, V x, V y) { return hn::NegMulAdd(all(s), x, y); }
HWY_INLINE V times(float s, V x) { return hn::Mul(all(s), x); }

/// What the transforms share: the points +-a and +-b, beside which there are 0 in F(4, 3), and
/// infinity. Polynomials at opposite points differ in the sign of their odd part only, so both are
/// computed from the even and the odd part.
template <float a, float b>
struct Points {
  static constexpr float a1 = a, a2 = a1 * a1, a3 = a2 * a1;
  static constexpr float b1 = b, b2 = b1 * b1, b3 = b2 * b1;

  /// even + p odd and even - p odd.
  static HWY_INLINE void opposite(float p, V odd, V even, V* v) {
    v[0] = fma(p, odd, even);
    v[1] = fnma(p, odd, even);
  }
  /// Of 4 inputs, those to the products at a, -a, b and -b.
  static HWY_INLINE void inputs(V d0, V d1, V d2, V d3, V* v) {
    opposite(a1, fnma(b2, d0, d2), fnma(b2, d1, d3), v);
    opposite(b1, fnma(a2, d0, d2), fnma(a2, d1, d3), v + 2);
  }
  /// That at infinity or 0, of every other input.
  static HWY_INLINE V last_input(V d0, V d2, V d4) {
    return fma(a2 * b2, d0, fnma(a2 + b2, d2, d4));
  }
  /// 4 outputs from the products at a, -a, b, -b and infinity.
  static HWY_INLINE void outputs(const V* m, V (&y)[4]) {
    const V even_a = hn::Add(m[0], m[1]), odd_a = hn::Sub(m[0], m[1]);
    const V even_b = hn::Add(m[2], m[3]), odd_b = hn::Sub(m[2], m[3]);
    y[0] = hn::Add(even_a, even_b);
    y[1] = fma(a1, odd_a, times(b1, odd_b));
    y[2] = fma(a2, even_a, times(b2, even_b));
    y[3] = fma(a3, odd_a, fma(b3, odd_b, m[4]));
  }
  /// The adjoint: gradients of outputs to those of the products.
  static HWY_INLINE void gradients(const V (&y)[4], V* m) {
    opposite(a1, fma(a2, y[3], y[1]), fma(a2, y[2], y[0]), m);
    opposite(b1, fma(b2, y[3], y[1]), fma(b2, y[2], y[0]), m + 2);
    m[4] = y[3];
  }
};

/// The transforms along one axis, for each stride and length of the kernel:
///   Input           inputs to V
///   Output          products to outputs
///   Weight          weights to U
///   Gradient        gradients of outputs to those of products
///   WeightGradient  the gradient of U to that of the weights
template <Stride stride, int kernel = 3>
struct Transforms;

/// F(4, 3).
template <>
struct Transforms<Stride::one> : Points<0.625f, 1.5f> {
  /// 1 / the derivative of x (x^2 - a^2) (x^2 - b^2) at 0, +-a, +-b.
  static constexpr float n0 = 1 / (a2 * b2), na = 1 / (2 * a2 * (a2 - b2)),
                         nb = 1 / (2 * b2 * (b2 - a2));

  struct Input {
    static constexpr int from = 6, to = 6;
    static HWY_INLINE void apply(const V (&d)[6], V (&v)[6]) {
      v[0] = last_input(d[0], d[2], d[4]);
      inputs(d[1], d[2], d[3], d[4], v + 1);
      v[5] = last_input(d[1], d[3], d[5]);
    }
  };
  struct Output {
    static constexpr int from = 6, to = 4;
    static HWY_INLINE void apply(const V (&m)[6], V (&y)[4]) {
      outputs(m + 1, y);
      y[0] = hn::Add(m[0], y[0]);
    }
  };
  struct Gradient {
    static constexpr int from = 4, to = 6;
    static HWY_INLINE void apply(const V (&y)[4], V (&m)[6]) {
      m[0] = y[0];
      gradients(y, m + 1);
    }
  };
  struct Weight {
    static constexpr int from = 3, to = 6;
    static HWY_INLINE void apply(const V (&g)[3], V (&u)[6]) {
      u[0] = times(n0, g[0]);
      opposite(na * a1, g[1], fma(na * a2, g[2], times(na, g[0])), u + 1);
      opposite(nb * b1, g[1], fma(nb * b2, g[2], times(nb, g[0])), u + 3);
      u[5] = g[2];
    }
  };
  struct WeightGradient {
    static constexpr int from = 6, to = 3;
    static HWY_INLINE void apply(const V (&u)[6], V (&g)[3]) {
      const V even_a = hn::Add(u[1], u[2]), odd_a = hn::Sub(u[1], u[2]);
      const V even_b = hn::Add(u[3], u[4]), odd_b = hn::Sub(u[3], u[4]);
      g[0] = fma(n0, u[0], fma(na, even_a, times(nb, even_b)));
      g[1] = fma(na * a1, odd_a, times(nb * b1, odd_b));
      g[2] = fma(na * a2, even_a, fma(nb * b2, even_b, u[5]));
    }
  };
};

/// Of transforms that inherit this, and of all for f16, the code is not repeated for each type of
/// values: it is long, and few nets have such kernels or values.
struct Shared {};
template <class F, class T>
inline constexpr bool is_shared = std::is_base_of_v<Shared, F> || std::is_same_v<T, F16>;

/// F(2, 5).
template <>
struct Transforms<Stride::one, 5> : Transforms<Stride::one> {
  static constexpr float a4 = a2 * a2, b4 = b2 * b2;

  struct Output : Shared {
    static constexpr int from = 6, to = 2;
    static HWY_INLINE void apply(const V (&m)[6], V (&y)[2]) {
      const V even = hn::Add(hn::Add(m[1], m[2]), hn::Add(m[3], m[4]));
      y[0] = hn::Add(m[0], even);
      y[1] = fma(a1, hn::Sub(m[1], m[2]), fma(b1, hn::Sub(m[3], m[4]), m[5]));
    }
  };
  struct Gradient : Shared {
    static constexpr int from = 2, to = 6;
    static HWY_INLINE void apply(const V (&y)[2], V (&m)[6]) {
      m[0] = y[0];
      opposite(a1, y[1], y[0], m + 1);
      opposite(b1, y[1], y[0], m + 3);
      m[5] = y[1];
    }
  };
  struct Weight : Shared {
    static constexpr int from = 5, to = 6;
    static HWY_INLINE void apply(const V (&g)[5], V (&u)[6]) {
      u[0] = times(n0, g[0]);
      opposite(1, fma(na * a3, g[3], times(na * a1, g[1])),
               fma(na * a4, g[4], fma(na * a2, g[2], times(na, g[0]))), u + 1);
      opposite(1, fma(nb * b3, g[3], times(nb * b1, g[1])),
               fma(nb * b4, g[4], fma(nb * b2, g[2], times(nb, g[0]))), u + 3);
      u[5] = g[4];
    }
  };
  struct WeightGradient {
    static constexpr int from = 6, to = 5;
    static HWY_INLINE void apply(const V (&u)[6], V (&g)[5]) {
      const V even_a = hn::Add(u[1], u[2]), odd_a = hn::Sub(u[1], u[2]);
      const V even_b = hn::Add(u[3], u[4]), odd_b = hn::Sub(u[3], u[4]);
      g[0] = fma(n0, u[0], fma(na, even_a, times(nb, even_b)));
      g[1] = fma(na * a1, odd_a, times(nb * b1, odd_b));
      g[2] = fma(na * a2, even_a, times(nb * b2, even_b));
      g[3] = fma(na * a3, odd_a, times(nb * b3, odd_b));
      g[4] = fma(na * a4, even_a, fma(nb * b4, even_b, u[5]));
    }
  };
};

/// F(4, 2) of the outer taps, and the products with the middle one.
template <>
struct Transforms<Stride::two> : Points<0.375f, 1.5f> {
  /// 1 / the derivative of (x^2 - a^2) (x^2 - b^2) at a and b.
  static constexpr float na = 1 / (2 * a1 * (a2 - b2)), nb = 1 / (2 * b1 * (b2 - a2));

  static HWY_INLINE void outer_inputs(V d0, V d1, V d2, V d3, V d4, V (&v)[9]) {
    inputs(d0, d1, d2, d3, v);
    v[4] = last_input(d0, d2, d4);
  }

  struct Input {
    static constexpr int from = 9, to = 9;
    static HWY_INLINE void apply(const V (&d)[9], V (&v)[9]) {
      outer_inputs(d[0], d[2], d[4], d[6], d[8], v);
      for (int i = 0; i < 4; ++i) v[5 + i] = d[2 * i + 1];
    }
  };
  struct Output {
    static constexpr int from = 9, to = 4;
    static HWY_INLINE void apply(const V (&m)[9], V (&y)[4]) {
      outputs(m, y);
      for (int i = 0; i < 4; ++i) y[i] = hn::Add(y[i], m[5 + i]);
    }
  };
  struct Gradient {
    static constexpr int from = 4, to = 9;
    static HWY_INLINE void apply(const V (&y)[4], V (&m)[9]) {
      gradients(y, m);
      for (int i = 0; i < 4; ++i) m[5 + i] = y[i];
    }
  };
  struct Weight {
    static constexpr int from = 3, to = 6;
    static HWY_INLINE void apply(const V (&g)[3], V (&u)[6]) {
      const V even_a = times(na, g[0]), even_b = times(nb, g[0]);
      u[0] = fma(na * a1, g[2], even_a);
      u[1] = fma(na * a1, g[2], hn::Neg(even_a));
      u[2] = fma(nb * b1, g[2], even_b);
      u[3] = fma(nb * b1, g[2], hn::Neg(even_b));
      u[4] = g[2];
      u[5] = g[1];
    }
  };
  struct WeightGradient {
    static constexpr int from = 6, to = 3;
    static HWY_INLINE void apply(const V (&u)[6], V (&g)[3]) {
      g[0] = fma(na, hn::Sub(u[0], u[1]), times(nb, hn::Sub(u[2], u[3])));
      g[1] = u[5];
      g[2] = fma(na * a1, hn::Add(u[0], u[1]), fma(nb * b1, hn::Add(u[2], u[3]), u[4]));
    }
  };
};

/// The gradient of that with respect to its inputs: position i of dy goes to inputs 2 i (the middle
/// tap) and 2 i + 1 (the outer ones, with i + 1).
template <>
struct Transforms<Stride::half> {
  using Forward = Transforms<Stride::two>;

  struct Input {
    static constexpr int from = 5, to = 9;
    static HWY_INLINE void apply(const V (&d)[5], V (&v)[9]) {
      Forward::outer_inputs(d[0], d[1], d[2], d[3], d[4], v);
      for (int i = 0; i < 4; ++i) v[5 + i] = d[i];
    }
  };
  struct Output {
    static constexpr int from = 9, to = 8;
    static HWY_INLINE void apply(const V (&m)[9], V (&x)[8]) {
      V outer[4];
      Forward::outputs(m, outer);
      for (int i = 0; i < 4; ++i) {
        x[2 * i] = m[5 + i];
        x[2 * i + 1] = outer[i];
      }
    }
  };
  using Weight = Forward::Weight;
};

/// A transform along one axis or two: loads load(i, j), and calls store(i, j, v).
template <class F, int axes, class Load, class Store>
HWY_INLINE void transform(const Load& load, const Store& store) {
  if constexpr (axes == 1) {
    V in[F::from], out[F::to];
#pragma GCC unroll 9
    for (int j = 0; j < F::from; ++j) in[j] = load(0, j);
    F::apply(in, out);
#pragma GCC unroll 9
    for (int j = 0; j < F::to; ++j) store(0, j, out[j]);
  } else {
    V half[F::to][F::from];
#pragma GCC unroll 9
    for (int j = 0; j < F::from; ++j) {
      V in[F::from], out[F::to];
#pragma GCC unroll 9
      for (int i = 0; i < F::from; ++i) in[i] = load(i, j);
      F::apply(in, out);
#pragma GCC unroll 9
      for (int i = 0; i < F::to; ++i) half[i][j] = out[i];
    }
#pragma GCC unroll 9
    for (int i = 0; i < F::to; ++i) {
      V out[F::to];
      F::apply(half[i], out);
#pragma GCC unroll 9
      for (int j = 0; j < F::to; ++j) store(i, j, out[j]);
    }
  }
}

/// The same from floats to floats, whose vectors are a step apart: one copy of the code, for what
/// is not worth more.
template <class F, int axes>
HWY_NOINLINE void transform_floats(const float* from, int64_t from_step, float* to,
                                   int64_t to_step) {
  transform<F, axes>(
      [&](int i, int j)
          FOVEA_INLINE { return hn::Load(F32(), from + (i * F::from + j) * from_step); },
      [&](int i, int j, V v) FOVEA_INLINE { hn::Store(v, F32(), to + (i * F::to + j) * to_step); });
}

/// Calls f with the number of axes and the transforms, of strides that a form may have.
template <Stride... strides, class F>
HWY_INLINE void with_form(Form form, const F& f) {
  if (form.kernel == 5) {
    using Five = Transforms<Stride::one, 5>;
    return form.axes == 1 ? f(std::integral_constant<int, 1>(), Five())
                          : f(std::integral_constant<int, 2>(), Five());
  }
  if (form.axes == 1) return f(std::integral_constant<int, 1>(), Transforms<Stride::one>());
  const auto with = [&]<Stride stride>() {
    if (form.stride == stride) f(std::integral_constant<int, 2>(), Transforms<stride>());
  };
  (with.template operator()<strides>(), ...);
}

/// The same of all strides.
template <class F>
HWY_INLINE void with_any_form(Form form, const F& f) {
  with_form<Stride::one, Stride::two, Stride::half>(form, f);
}

}  // namespace fovea::simd::winograd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
