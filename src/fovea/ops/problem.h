#pragma once

#include <string_view>

#include "fovea/ops/list.h"

namespace fovea {

/// An op and the types of its inputs.
struct OpCall {
  Op op;
  Types in, out;
};

/// A problem as text: an op, its fields (see fields.h) and types,
///
///     max_pool kernel=3 stride=2 padding=1 f32[64, 64, 112, 112] -> f32[64, 64, 56, 56]
std::string problem_text(const Op& op, const Types& in, const Types& out);

/// Reads such a text for one of `ops`; types after "->" are checked. Also reads convolutions in one
/// word, as in kernel benchmarks:
///
///     conv:mb64ic64ih32oc64kh3ph1
///
/// a 2-d convolution in plain layout, without bias, of f32, or of the type in a suffix ":bf16" or
/// ":f64". Sizes are a name and a number, in any order: mb images (1 by default); ic, oc channels;
/// ih, iw input; kh, kw kernel; oh, ow output (computed, and checked where given); g groups (1);
/// sh, sw stride (1); ph, pw padding on each side (0); dh, dw dilation (1: none). Names ending in w
/// default to their h; ic, oc, ih and kh are required. Errors: usage, naming the part at fault and
/// what is expected.
OpCall parse_problem(std::string_view text, std::span<const Op> ops = all_ops());

/// The same convolution's gradients, for its input and for its weight. Errors: usage when `forward`
/// is not a convolution.
OpCall backward_data(const OpCall& forward);
OpCall backward_weights(const OpCall& forward);

}  // namespace fovea
