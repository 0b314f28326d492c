#pragma once

#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// In graphs with gradients, what a product with broadcast factors leaves behind, such as that of
/// squeeze-and-excitation, whose factors come from x itself by a global average pool:
///     dscale = sum_to(dy * x)                                  becomes   sum_of_products(dy, x)
///     dx = dy * scale + the gradient of the global average     becomes   multiply_add(dy, scale,
///     ...)
/// so that values of x's size are read three times and written once instead of six and four. Runs
/// after autodiff.
std::shared_ptr<Graph> fuse_products(const Graph& graph);

}  // namespace fovea
