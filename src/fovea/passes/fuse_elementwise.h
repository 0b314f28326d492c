#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Fuses each chain of elementwise ops into one node (see ops/fused.h), so that memory is read and
/// written once instead of once per op: sums, products, quotients, extrema, functions of one number
/// and constants, in f32 or f64, on arrays of one shape and on scalars, including casts of scalars.
/// Values that are also needed elsewhere are further outputs of the node. A product used only by
/// one sum is rounded together with it: of two products the first in a sum, the second in a
/// difference.
///
/// Values keep their plain layout: for graphs of flat arrays (updates of parameters). Nets have
/// their own fusions.
std::shared_ptr<Graph> fuse_elementwise(const Graph& graph);

}  // namespace fovea
