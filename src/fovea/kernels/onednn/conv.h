#pragma once

#include "fovea/kernels/rules.h"

namespace fovea::onednn {

/// Convolution, its data and its weight gradient, by oneDNN's jit kernels. N, C, spatial values in
/// any layout; weights are passed plain and packed as the implementation needs. For a fixed team
/// size the same bits on every run; other sizes may sum weight gradients in a different order.
///
/// "onednn": direct. Error: sums of K = C/groups * kernel products in f32, at most K
/// eps of the sum of absolute products. For bf16 (weights too; bias and weight gradient
/// f32) products and sums are the same, and y and dx are rounded once: another 2^-8 of
/// them; y again for each step of an epilogue that oneDNN does not take: a residual of
/// channels-last values, any but the first, steps after an activation, and activations in
/// which it loses NaN. bf16 needs AVX-512, and is refused where f32 is faster (see
/// refuse_products). Weight gradients that oneDNN 2.6 gets wrong in bf16 (for strides over volumes
/// and single columns) are refused, so that they are computed in f32.
///
/// "onednn:winograd": F(4x4, 3x3) in f32, tried first, for large 3x3 convolutions of stride 1 in
/// blocked16; only oneDNN 2 has it, and only with AVX-512. Its transforms multiply and divide by up
/// to 24: relative to the largest output the error is about ten times the direct kernel's.
void add_conv_rules(const RuleSink& add);

}  // namespace fovea::onednn
