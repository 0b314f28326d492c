// The epilogue of norms on vectors: compiled once per instruction set.
#if defined(FOVEA_KERNELS_SIMD_NORM_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SIMD_NORM_EPILOGUE_INL_H
#undef FOVEA_KERNELS_SIMD_NORM_EPILOGUE_INL_H
#else
#define FOVEA_KERNELS_SIMD_NORM_EPILOGUE_INL_H
#endif

#include "fovea/kernels/simd/activations-inl.h"
#include "fovea/kernels/simd/norm_rules.h"
#include "fovea/ops/norm.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::HWY_NAMESPACE {

struct NoActivation {
  V value(V x) const { return x; }
  V slope(V) const { return all(1); }
};

/// Any activation by kind, which is called instead of inlined: for those whose code is long and
/// whose nets are few, since a walk over channels repeats its body some twenty times. A call costs
/// 6 to 8 % of a norm's time, two fifths of that of a gradient of silu in bf16. They are pure: a
/// call whose result is not used, as of Ahead, is not made.
struct CalledActivation {
  std::optional<UnaryKind> kind;
  float alpha;

  explicit CalledActivation(const NormEpilogue& epilogue)
      : kind(epilogue.activation), alpha(static_cast<float>(epilogue.alpha)) {}

  [[gnu::pure]] HWY_NOINLINE V value(V x) const {
    V y = x;
    with([&](auto activation) FOVEA_INLINE { y = activation.value(x); });
    return y;
  }
  [[gnu::pure]] HWY_NOINLINE V slope(V x) const {
    V y = x;
    with([&](auto activation) FOVEA_INLINE { y = activation.slope(x); });
    return y;
  }

 private:
  template <class F>
  HWY_INLINE void with(const F& f) const {
    if (!kind) return f(NoActivation{});
    switch (*kind) {
      case UnaryKind::relu:
        return f(Relu{});
      case UnaryKind::relu6:
        return f(Relu6{});
      case UnaryKind::silu:
        return f(Silu{});
      case UnaryKind::leaky_relu:
        return f(LeakyRelu{alpha});
      case UnaryKind::gelu:
        return f(Gelu{});
      case UnaryKind::hardswish:
        return f(HardSwish{});
      default:
        return;
    }
  }
};

/// Calls f with the activation of an epilogue for which is_cheap is true.
template <class F>
HWY_INLINE void with_cheap_activation(const NormEpilogue& epilogue, const F& f) {
  if (epilogue.activation == UnaryKind::relu) return f(Relu{});
  if (epilogue.activation == UnaryKind::relu6) return f(Relu6{});
  f(NoActivation{});
}

/// The same with one for which follows_norm is true, or none. With f16, which few train in, more of
/// them are called: what each adds to the walks is long to compile.
template <class T, class F>
HWY_INLINE void with_norm_activation(const NormEpilogue& epilogue, const F& f) {
  if (!epilogue.activation) return f(NoActivation{});
  if (epilogue.activation == UnaryKind::relu) return f(Relu{});
  if constexpr (!std::is_same_v<T, F16>) {
    if (epilogue.activation == UnaryKind::relu6) return f(Relu6{});
    if (epilogue.activation == UnaryKind::silu) return f(Silu{});
  }
  f(CalledActivation(epilogue));
}

/// Calls f(activation, side) for tiles: relu and sides of 2 as constants, all else at run time.
template <class F>
HWY_INLINE void with_tiles(const NormEpilogue& epilogue, const F& f) {
  if (epilogue.pool == 2 && epilogue.activation == UnaryKind::relu)
    return f(Relu{}, std::integral_constant<int, 2>());
  f(CalledActivation(epilogue), std::integral_constant<int, 0>());
}

/// What the activation is applied to: forward and backward compute the same bits.
template <class At, class T>
HWY_INLINE V preactivation(At at, V centred, V scale, V beta, const T* residual, int64_t i) {
  V z = hn::MulAdd(centred, scale, beta);
  if (residual != nullptr) z = hn::Add(z, at.load(residual + i));
  return z;
}

/// The gradient of what the activation was applied to, if d is that of its result: 0 where it is
/// flat, whatever d is.
template <class A>
HWY_INLINE V through(A activation, V z, V d) {
  const V slope = activation.slope(z);
  return hn::IfThenZeroElse(hn::Eq(slope, all(0)), hn::Mul(d, slope));
}

}  // namespace fovea::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
