#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Mixed precision: rewrites a graph traced in f32 so that its values are `dtype`, bf16 or f16,
/// wherever each op's PrecisionRule allows it. Arrays of the State, updates and named outputs stay
/// f32, and everything computed from a named output does too: losses and metrics. A value is cast
/// at most once in each direction.
///
/// Runs before autodiff: the gradient of a value then has the value's dtype, while that of a
/// parameter is f32, because a cast passes its gradient on unrounded.
std::shared_ptr<Graph> narrow_precision(const Graph& graph, DType dtype);

}  // namespace fovea
