#pragma once

#include <cstdint>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/images/image.h"

namespace fovea::explain {

/// One convolution of an input with several channels, taken apart, for teaching.
struct ConvSteps {
  int64_t stride = 1, padding = 0, dilation = 1;
  Array input;     ///< f32 [C, H, W]
  Array kernel;    ///< f32 [O, C, kH, kW]
  Array products;  ///< f32 [O, C, H', W']: each channel convolved with its own part of the kernel
  Array output;    ///< f32 [O, H', W']: the sum of `products` over C
};

/// Computes them. Errors: usage when the input is not [C, H, W], the kernel not [O, C, kH, kW], one
/// of them is not f32 or empty, or the kernel does not fit into the padded input; usage, since no
/// picture would hold them, for more than 4 channels or outputs or more than 64 padded pixels along
/// a side.
ConvSteps convolution_steps(const Array& input, const Array& kernel, int64_t stride = 1,
                            int64_t padding = 0, int64_t dilation = 1);

/// The convolution when the first `done` positions of the output are computed (row by row; -1:
/// all): for each output and channel the padded input with the window at the last of them, the part
/// of the kernel and its products, and at the right their sum. Numbers are written where cells are
/// large enough.
Image conv_picture(const ConvSteps& steps, int64_t done = -1);

/// One picture for each position of the output. Errors: usage for more than 1,024 positions.
std::vector<Image> conv_frames(const ConvSteps& steps);

/// Pictures below each other.
Image stacked(const std::vector<Image>& pictures);

}  // namespace fovea::explain
