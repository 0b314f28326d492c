#pragma once

#include <fmt/format.h>

#include <limits>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>

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

/// Goes on to the next implementation; false if there is none. In oneDNN 2.6 a descriptor refers to
/// parameters that no longer exist.
template <class PrimitiveDesc>
bool next_implementation(PrimitiveDesc& pd) {
#if DNNL_VERSION_MAJOR < 3
  (void)pd;
  return false;
#else
  return pd.next_impl();
#endif
}

inline dnnl::memory::dims dims_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR < 3
  return desc.dims();
#else
  return desc.get_dims();
#endif
}

/// A memory format as text, or nothing if it is one that only oneDNN knows.
inline std::string format_text(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR < 3
  const auto& d = desc.data;
  if (d.format_kind != dnnl_blocked || d.extra.flags != 0) return {};
  const auto& blocks = d.format_desc.blocking;
  const auto type = static_cast<int>(d.data_type);
  const std::span dims(d.padded_dims, static_cast<size_t>(d.ndims));
  const std::span strides(blocks.strides, static_cast<size_t>(d.ndims));
  const std::span sizes(blocks.inner_blks, static_cast<size_t>(blocks.inner_nblks));
  const std::span axes(blocks.inner_idxs, static_cast<size_t>(blocks.inner_nblks));
#else
  if (desc.get_format_kind() != dnnl::memory::format_kind::blocked) return {};
  const auto type = static_cast<int>(desc.get_data_type());
  const auto dims = desc.get_padded_dims(), strides = desc.get_strides(),
             sizes = desc.get_inner_blks(), axes = desc.get_inner_idxs();
#endif
  return fmt::format("type {} dims {} strides {} blocks {} of {}", type, fmt::join(dims, ","),
                     fmt::join(strides, ","), fmt::join(sizes, ","), fmt::join(axes, ","));
}

/// Appends an elementwise operation.
inline void append_eltwise(dnnl::post_ops& epilogue, dnnl::algorithm algorithm, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR < 3
  epilogue.append_eltwise(1, algorithm, alpha, beta);
#else
  epilogue.append_eltwise(algorithm, alpha, beta);
#endif
}

/// A relu that propagates NaN. With a slope of 0 oneDNN computes max(x, 0), which turns NaN into 0
/// on AVX2 and AVX-512; with any other slope it compares and selects. A negative x times the
/// smallest denormal is -0 when denormals are flushed (as in Program::run), and otherwise far below
/// the rounding error of the sum. -inf does not become 0: it stays, or becomes NaN.
inline void append_relu(dnnl::post_ops& epilogue) {
  constexpr float slope = std::numeric_limits<float>::denorm_min();
  append_eltwise(epilogue, dnnl::algorithm::eltwise_relu, slope, 0);
}

}  // namespace fovea::onednn
