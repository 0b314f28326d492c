#include "fovea/kernels/onednn/layout.h"

#include "fovea/kernels/conv_pass.h"
#include "fovea/kernels/fixed_weights.h"
#include "fovea/kernels/onednn/engine.h"

namespace fovea {

/// oneDNN's direct kernels work on blocks of 16 channels with AVX-512 (of 8 without, which no
/// Layout has: there channels-last is as fast), and on channels-last values with any number of
/// channels. Where weights are fixed, Fovea's own kernels compute almost everything, and blocks,
/// whose positions are adjacent, are the fastest with every instruction set. Images, with few
/// channels, stay plain before blocks; together with channels-last values, oneDNN only accepts
/// channels-last. So do its kernels for tiles of bf16.
Layout preferred_layout(const Type& type) {
  const bool avx512 = onednn::has(dnnl::cpu_isa::avx512_core);
  const bool known = is_float(type.dtype) && type.dtype != DType::f64;  // f16 is widened to f32
  if (!known || type.rank() < 3 || type.rank() > 5) return Layout::plain;
  const bool blocks = avx512 || (weights_fixed && type.dtype == DType::f32);
  if (!blocks || (type.dtype == DType::bf16 && has_tiles())) return Layout::channels_last;
  if (type.dim(1) % 16 == 0) return Layout::blocked16;
  return type.dim(1) <= 4 ? Layout::plain : Layout::channels_last;
}

namespace onednn {
std::vector<Layouts> convolution_layouts(const Problem& problem,
                                         const std::function<Layout(const Type&)>& preferred) {
  const ConvPass pass = conv_pass(problem.op);
  const Type &x = image_type(problem, pass.x), &y = image_type(problem, pass.y);
  const Layout given = pass.x < 0 ? y.layout : x.layout;
  const bool depthwise = pass.geometry.groups > 1 && pass.geometry.groups == x.dim(1);
  if (depthwise && given != Layout::plain && fits(x, given) && fits(y, given))
    return {conv_layouts(problem, given, given)};
  const Layout before = preferred(x), after = preferred(y);
  if (before == after || (before == Layout::plain && after == Layout::blocked16))
    return {conv_layouts(problem, before, after)};
  return {conv_layouts(problem, Layout::channels_last, Layout::channels_last)};
}

}  // namespace onednn
}  // namespace fovea
