// Winograd's transform of the inputs of many tiles: one copy of its code, which is long, for all
// kernels.
#include <cstdlib>

#include "fovea/kernels/simd/winograd.h"
#include "fovea/ops/norm_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fovea/kernels/simd/winograd_inputs.cpp"
#include <hwy/foreach_target.h>

#include "fovea/kernels/simd/norm_epilogue-inl.h"
#include "fovea/kernels/simd/winograd_patches-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::simd::winograd {
namespace {
namespace HWY_NAMESPACE {

using namespace fovea::simd::winograd::HWY_NAMESPACE;  // NOLINT

/// What a batch norm and its activation make of the inputs: in f32 the bits that its own kernel
/// stores. In lanes without a channel they stay 0, as all activations of norms keep it.
template <class A>
struct Normalised {
  const InputNorm& norm;
  A activation;

  template <class At>
  HWY_INLINE auto of(int64_t channel, At at) const {
    const V mean = at.load(norm.mean + channel), scale = at.load(norm.scale + channel);
    const V beta = at.load(norm.beta + channel);
    return [mean, scale, beta, activation = activation](V x)
               FOVEA_INLINE { return activation.value(hn::MulAdd(hn::Sub(x, mean), scale, beta)); };
  }
};

/// Whether there is code for it: it is long, and most convolutions after norms are such.
template <class T, int axes, class S>
constexpr bool normalises = axes == 2 && std::is_same_v<S, Transforms<Stride::one>> &&
                            (std::is_same_v<T, float> || std::is_same_v<T, Bf16>);

void transform_inputs(const Patches& x, const std::byte* data, const InputNorm& norm,
                      const Piece& piece, Range channels, const Matrices& v) {
  Form form = x.form;
  form.kernel = 3;  // inputs of F(2, 5) are transformed as those of F(4, 3)
  with_element(x.image.dtype, [&]<class T>(T) {
    with_any_form(form, [&]<int axes, class S>(std::integral_constant<int, axes>, S) {
      const auto transform_all = [&](const auto& prepare) FOVEA_INLINE {
        transform_patches<typename S::Input, axes>(x, as<T>(data), prepare, piece, channels, v);
      };
      if (norm.mean == nullptr) return transform_all(AsGiven{});
      if constexpr (normalises<T, axes, S>) {
        if (norm.epilogue.activation == UnaryKind::relu)
          return transform_all(Normalised<Relu>{norm, {}});
        transform_all(Normalised<CalledActivation>{norm, CalledActivation(norm.epilogue)});
      } else {
        std::abort();  // can_normalise says no
      }
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace
}  // namespace fovea::simd::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::simd::winograd {
namespace {
HWY_EXPORT(transform_inputs);
}  // namespace

bool can_normalise(const Patches& x) {
  return x.form.axes == 2 && x.form.stride == Stride::one && x.image.dtype != DType::f16;
}

InputNorm input_norm(const Op& op, const Args& args) {
  const auto norm_of = [&](const auto& conv) -> InputNorm {
    const size_t mean = conv.mean_input();
    return {args.input<float>(mean), args.input<float>(mean + 1), args.input<float>(mean + 2),
            conv.norm().epilogue};
  };
  if (const auto* conv = op.as<NormConv>(); conv != nullptr && conv->normalises)
    return norm_of(*conv);
  if (const auto* conv = op.as<NormConvBackwardWeights>()) return norm_of(*conv);
  return {};
}

void transform_inputs(const Patches& x, const std::byte* data, const InputNorm& norm,
                      const Piece& piece, Range channels, const Matrices& v) {
  HWY_DYNAMIC_DISPATCH(transform_inputs)(x, data, norm, piece, channels, v);
}

}  // namespace fovea::simd::winograd
#endif
