#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// In graphs with gradients, has products of matrices compute the activation y = f(u) after a
/// linear layer, and its gradient:
///     u = linear(x), y = f(u)            become   y, u = linear(x) with f in its epilogue
///     dy = dz w, du = dy f'(u)           become   du, y = dz w times the slope of f at u
/// The backward pass takes y from the latter: so of the two only u is kept from one pass to the
/// other, and nothing reads u to compute y again. Runs after autodiff.
std::shared_ptr<Graph> fuse_activation(const Graph& graph);

}  // namespace fovea
