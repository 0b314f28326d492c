#pragma once

#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"

namespace fovea {

/// The images x and y of a convolution, or their gradients, in any of its three passes.
struct ConvPass {
  int x, y;  ///< where they are among the inputs; -1: the output
  const ConvGeometry& geometry;
};

/// For Conv, ConvBackwardData and ConvBackwardWeights.
ConvPass conv_pass(const Op& op);

/// The type of one of them.
const Type& image_type(const Problem& problem, int image);

/// The shape of the weights, which in ConvBackwardWeights are not among the inputs.
const Shape& weight_shape(const Problem& problem);

/// x in the layout `before`, y and residuals in `after`, all else plain.
Layouts conv_layouts(const Problem& problem, Layout before, Layout after);

}  // namespace fovea
