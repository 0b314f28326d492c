#pragma once

#include <string_view>

#include "fovea/ops/list.h"

namespace fovea {

/// An op and the types it is called with.
struct OpCall {
  Op op;
  Types in, out;
};

/// A problem as text: an op, its fields (see fields.h) and types,
///
///     max_pool kernel=3 stride=2 padding=1 f32[64, 64, 112, 112] -> f32[64, 64, 56, 56]
std::string problem_text(const Op& op, const Types& in, const Types& out);

/// Reads such a text, of one of `ops`; types that follow "->" are checked. Also reads convolutions
/// in one word, as benchmarks of kernels write them:
///
///     conv:mb64ic64ih32oc64kh3ph1
///
/// a 2-d convolution in plain layout, without bias, of f32 values, or with ":bf16" or ":f64" behind
/// it of those. Sizes are a name and a number, in
/// any order: mb images (1 by default); ic, oc channels; ih, iw input; kh, kw kernel; oh, ow output
/// (computed, and checked where given); g groups (1); sh, sw stride (1); ph, pw padding on each
/// side (0); dh, dw dilation (1: none). What ends in w is as its h by default; ic, oc, ih and kh
/// must be given. Errors: usage, naming the part at fault and what is expected.
OpCall parse_problem(std::string_view text, std::span<const Op> ops = all_ops());

/// The same convolution's gradients, by its input and by its weight. Errors: usage when `forward`
/// is no convolution.
OpCall backward_data(const OpCall& forward);
OpCall backward_weights(const OpCall& forward);

}  // namespace fovea
