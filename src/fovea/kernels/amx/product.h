#pragma once

#include <memory>
#include <optional>

#include "fovea/kernels/kernel.h"
#include "fovea/kernels/simd/direct.h"

namespace fovea::amx {

/// Why tiles cannot compute these: channels that are no multiple of 16, groups, other types.
std::optional<Refusal> refuse(const simd::direct::Convolution& c);

/// Convolutions, gradients with respect to the data and products: see product.cpp.
std::unique_ptr<Kernel> make_product_kernel(simd::direct::Pass pass, int threads);

/// The gradient of the weights where windows are single pixels: see weights.cpp.
std::unique_ptr<Kernel> make_weights_kernel(const simd::direct::WeightGradient& gradient,
                                            int threads);

/// The positions of y, of all images, one after another: how many, where channel 0 of each is, and
/// what each reads of x by a tap, null outside x.
int64_t count_positions(const simd::direct::Convolution& c);
void find_outputs(const simd::direct::Convolution& c, int64_t first, int64_t count,
                  int64_t* offsets);
void find_inputs(const simd::direct::Convolution& c, int64_t first, int64_t count, int64_t tap,
                 const float* x, const float** lines);

}  // namespace fovea::amx
