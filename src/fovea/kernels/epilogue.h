#pragma once

#include "fovea/kernels/kernel.h"
#include "fovea/ops/conv.h"

namespace fovea {

/// A kernel for a convolution whose kernel computes only the first `taken` steps of the epilogue:
/// the others follow, in place, each by the kernel for its op.
std::unique_ptr<Kernel> with_epilogue(std::unique_ptr<Kernel> conv, const Problem& problem,
                                      size_t taken);

/// The first steps of an epilogue that are a residual, a relu, or the former and then the latter.
struct ResidualThenRelu {
  bool residual = false, relu = false;
  size_t taken = 0;
};
ResidualThenRelu residual_then_relu(const Conv& conv);

}  // namespace fovea
