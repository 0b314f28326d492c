#pragma once

#include <string>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/graph/graph.h"

namespace fovea {

/// Checks shared by the type rules of several ops, with the same messages.

/// Errors: internal when an op was given a different number of inputs.
void require_inputs(std::string_view op, const Types& in, size_t count);

/// Errors: usage when `type`, which messages call `what`, is not a float type.
void require_float(std::string_view op, std::string_view what, const Type& type);

/// Errors: usage when `type` is not N, C and 1 to 3 spatial axes of a float type.
void require_image(std::string_view op, const Type& type);

/// Errors: usage when x does not have N, C and `axes` spatial axes (1 to 3).
void require_spatial(std::string_view op, const Tensor& x, int axes);

/// A value [C] as one that broadcasts along the channels of x: [C, 1, ...], in x's dtype.
Tensor per_channel(const Tensor& vector, const Tensor& x);

/// Errors: usage when `type`, which messages call `what`, is not `expected`; `input` is what it
/// must match.
void require_type(std::string_view op, std::string_view what, const Type& type,
                  const Type& expected, const Type& input);

/// Checks an axis number and returns it counted from the front; negative ones count from the end.
/// Errors: usage.
int checked_axis(std::string_view op, int axis, const Type& input);

/// "1 axis", "4 axes".
std::string axis_count(int axes);

/// A backward op's type rule: the gradient has the type of input `i`.
inline Types like(const Types& in, size_t i) { return {{in[i].dtype, in[i].shape}}; }

}  // namespace fovea
