#pragma once

#include "fovea/kernels/kernel.h"
#include "fovea/ops/epilogue.h"

namespace fovea {

/// The problem of a Linear or a MatMul without what follows its sums.
Problem without_epilogue(const Problem& problem);

/// A kernel for a convolution, linear layer or matrix product whose kernel computes only the first
/// `taken` steps of what follows its sums: the others follow, each by the kernel for its op.
std::unique_ptr<Kernel> with_epilogue(std::unique_ptr<Kernel> product, const Problem& problem,
                                      size_t taken);

/// The first steps of an epilogue that are a residual, a relu, or the former and then the latter.
struct ResidualThenRelu {
  bool residual = false, relu = false;
  size_t taken = 0;
};
ResidualThenRelu residual_then_relu(const Epilogue& epilogue);

}  // namespace fovea
