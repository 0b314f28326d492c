#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Drops what changes nothing: nodes that no output or update depends on (gradients nobody asked
/// for), and second copies of a node with the same op, attributes and inputs (a cast of one weight
/// made twice).
std::shared_ptr<Graph> simplify(const Graph& graph);

}  // namespace fovea
