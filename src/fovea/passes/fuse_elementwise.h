#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Chains of elementwise ops become one node each (see ops/fused.h), so that memory is read and
/// written once instead of once an op: sums, products, quotients, extrema, functions of one number
/// and constants, in f32 or f64, on arrays of one shape and on scalars, casts of which are part of
/// it. Values that others need, too, are further outputs of the node. A product that only one sum
/// uses is rounded together with it: of two products in a sum the first, in a difference the
/// second.
///
/// Values keep their plain layout: for graphs of flat arrays (updates of parameters). Nets have
/// fusions of their own.
std::shared_ptr<Graph> fuse_elementwise(const Graph& graph);

}  // namespace fovea
