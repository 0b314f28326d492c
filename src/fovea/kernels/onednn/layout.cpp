#include "fovea/kernels/onednn/layout.h"

#include "fovea/kernels/onednn/engine.h"
#include "fovea/ops/conv.h"

namespace fovea {

/// oneDNN's direct kernels work on blocks of 16 channels with AVX-512 (of 8 without, which no
/// Layout has: there channels-last is as fast), and on channels-last values with any number of
/// channels. Images, with few channels, stay plain before blocks; together with channels-last
/// values, oneDNN only accepts channels-last. So do its kernels for tiles of bf16.
Layout preferred_layout(const Type& type) {
  const bool avx512 = onednn::has(dnnl::cpu_isa::avx512_core);
  const bool known = is_float(type.dtype) && type.dtype != DType::f64;  // f16 is widened to f32
  if (!known || type.rank() < 3 || type.rank() > 5) return Layout::plain;
  if (!avx512 || (type.dtype == DType::bf16 && onednn::has_tiles())) return Layout::channels_last;
  if (type.dim(1) % 16 == 0) return Layout::blocked16;
  return type.dim(1) <= 4 ? Layout::plain : Layout::channels_last;
}

namespace onednn {
namespace {

/// Where the images of a convolution's pass are among its inputs; -1: its output.
struct Images {
  int x, y;
  int64_t groups;
};

Images images_of(const Op& op) {
  if (const auto* forward = op.as<Conv>()) return {0, -1, forward->geometry.groups};
  if (const auto* data = op.as<ConvBackwardData>()) return {-1, 1, data->geometry.groups};
  return {0, 1, op.get<ConvBackwardWeights>().geometry.groups};
}

}  // namespace

std::vector<Layouts> convolution_layouts(const Problem& problem,
                                         const std::function<Layout(const Type&)>& preferred) {
  const Images images = images_of(problem.op);
  const auto type_of = [&](int i) -> const Type& {
    return i < 0 ? problem.out[0] : problem.in[static_cast<size_t>(i)];
  };
  const Type &x = type_of(images.x), &y = type_of(images.y);
  std::vector<Layouts> result;
  const auto add = [&](Layout before, Layout after) {
    Layouts layouts{std::vector(problem.in.size(), Layout::plain),
                    std::vector(problem.out.size(), Layout::plain)};
    const auto set = [&](int i, Layout layout) {
      (i < 0 ? layouts.out[0] : layouts.in[static_cast<size_t>(i)]) = layout;
    };
    set(images.x, before);
    set(images.y, after);
    for (size_t i = 2; i < problem.in.size(); ++i)
      layouts.in[i] = problem.in[i].rank() == y.rank() ? after : Layout::plain;  // a residual
    result.push_back(std::move(layouts));
  };
  const Layout given = images.x < 0 ? y.layout : x.layout;
  const bool depthwise = images.groups > 1 && images.groups == x.dim(1);
  if (depthwise && given != Layout::plain && fits(x, given) && fits(y, given)) {
    add(given, given);
    return result;
  }
  const Layout before = preferred(x), after = preferred(y);
  if (before == after || (before == Layout::plain && after == Layout::blocked16)) {
    add(before, after);
  } else {
    add(Layout::channels_last, Layout::channels_last);
  }
  return result;
}

}  // namespace onednn
}  // namespace fovea
