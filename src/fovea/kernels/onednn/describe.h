#pragma once

#include <limits>
#include <oneapi/dnnl/dnnl.hpp>

#include "fovea/kernels/onednn/engine.h"

/// All differences between the C++ interfaces of oneDNN 2.6 (Debian 12) and 3 (Debian 13). What a
/// version cannot compute is not handled here: it throws dnnl::error, which `offer` turns into a
/// Refusal.
namespace fovea::onednn {

#if DNNL_VERSION_MAJOR < 3
using PoolForward = dnnl::pooling_v2_forward;
using PoolBackward = dnnl::pooling_v2_backward;
#else
using PoolForward = dnnl::pooling_forward;
using PoolBackward = dnnl::pooling_backward;
#endif

/// The primitive descriptor of a forward pass or of a matrix product; `parameters` in the order of
/// the documentation, starting with the propagation kind or the first operand.
template <class Primitive, class... Parameters>
typename Primitive::primitive_desc describe(const dnnl::primitive_attr& attr,
                                            const Parameters&... parameters) {
#if DNNL_VERSION_MAJOR < 3
  return {typename Primitive::desc(parameters...), attr, engine()};
#else
  return {engine(), parameters..., attr};
#endif
}

/// The primitive descriptor of a gradient; `hint` describes the forward pass.
template <class Primitive, class Hint, class... Parameters>
typename Primitive::primitive_desc describe_gradient(const Hint& hint,
                                                     const Parameters&... parameters) {
#if DNNL_VERSION_MAJOR < 3
  return {typename Primitive::desc(parameters...), attributes(), engine(), hint};
#else
  return {engine(), parameters..., hint, attributes()};
#endif
}

/// A relu that propagates NaN. With a slope of 0 oneDNN computes max(x, 0), which turns NaN into 0
/// on AVX2 and AVX-512; with any other slope it compares and selects. A negative x times the
/// smallest denormal is -0 when denormals are flushed (as in Program::run), and otherwise far below
/// the rounding error of the sum. -inf does not become 0: it stays, or becomes NaN.
inline void append_relu(dnnl::post_ops& epilogue) {
  constexpr float slope = std::numeric_limits<float>::denorm_min();
#if DNNL_VERSION_MAJOR < 3
  epilogue.append_eltwise(1, dnnl::algorithm::eltwise_relu, slope, 0);
#else
  epilogue.append_eltwise(dnnl::algorithm::eltwise_relu, slope, 0);
#endif
}

}  // namespace fovea::onednn
