#include "fovea/kernels/conv_pass.h"

namespace fovea {

ConvPass conv_pass(const Op& op) {
  if (const auto* forward = op.as<Conv>()) return {0, -1, forward->geometry};
  if (const auto* data = op.as<ConvBackwardData>()) return {-1, 1, data->geometry};
  return {0, 1, op.get<ConvBackwardWeights>().geometry};
}

const Type& image_type(const Problem& problem, int image) {
  return image < 0 ? problem.out[0] : problem.in[static_cast<size_t>(image)];
}

const Shape& weight_shape(const Problem& problem) {
  if (const auto* gradient = problem.op.as<ConvBackwardWeights>()) return gradient->weight;
  return problem.in[problem.op.as<ConvBackwardData>() != nullptr ? 0 : 1].shape;
}

Layouts conv_layouts(const Problem& problem, Layout before, Layout after) {
  const ConvPass pass = conv_pass(problem.op);
  Layouts layouts{std::vector(problem.in.size(), Layout::plain),
                  std::vector(problem.out.size(), Layout::plain)};
  const auto set = [&](int image, Layout layout) {
    (image < 0 ? layouts.out[0] : layouts.in[static_cast<size_t>(image)]) = layout;
  };
  set(pass.x, before);
  set(pass.y, after);
  const Type& y = image_type(problem, pass.y);
  for (size_t i = 2; i < problem.in.size(); ++i) {
    if (problem.in[i].rank() == y.rank()) layouts.in[i] = after;  // a residual, not the bias
  }
  return layouts;
}

}  // namespace fovea
