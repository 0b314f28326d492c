#pragma once

#include "fovea/kernels/kernel.h"

namespace fovea::onednn {

/// The layouts in which oneDNN convolves, in any of the three passes: what `preferred` returns for
/// input and output images, if it is the same for both or the input is plain before blocks, else
/// channels-last for both; for depthwise convolutions also the one that the input already has,
/// which is as good as any other.
std::vector<Layouts> convolution_layouts(const Problem& problem,
                                         const std::function<Layout(const Type&)>& preferred);

}  // namespace fovea::onednn
