#pragma once

#include <string>

#include "fovea/graph/graph.h"

namespace fovea {

/// The graph as text, one line per value: leaves, then nodes in order with their types, inputs,
/// attributes and the modules that they belong to.
///
///     graph small_cnn (train, f32)
///       %0 = input images: u8[128, 28, 28, 1]
///       %3 = conv(%1, %2) kernel=3x3 padding=1: f32[128, 32, 28, 28]   # conv1
///       output logits = %9
std::string print(const Graph& graph);

/// The paths of the calls that a node belongs to, followed by those fused into it: "conv1 + bn1".
std::string calls_text(const Graph& graph, const Origin& origin);

}  // namespace fovea
