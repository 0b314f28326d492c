#pragma once

#include "kernels/harness.h"

namespace fovea::kernel_test {

/// The bound of sums of products: as many eps as there are products, of their absolute values;
/// activations add a few.
inline Bound bound_of_sums(int64_t products) {
  return {static_cast<double>(products) + 32, Scale::absolute, NonFinite::spreads};
}

struct RandomConvolution {
  DType dtype = DType::f32;
  bool blocks = false;  ///< multiples of 16 channels, and one group
};

/// A convolution of random geometry and epilogue; input and output layouts may differ.
Problem random_convolution(Random& random, int axes, const RandomConvolution& options = {});

/// The gradient of such a convolution with respect to its data or its weights.
Problem random_gradient(Random& random, int axes, bool weights,
                        const RandomConvolution& options = {});

}  // namespace fovea::kernel_test
