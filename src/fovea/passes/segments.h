#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// The forward pass of a graph with gradients, cut into segments of consecutive nodes.
struct Segments {
  std::vector<bool> inside;  ///< by value: whether no node of a later segment reads it
  size_t last = 0;           ///< the first node of the last segment
};

/// Cuts such that the bytes that cross the cuts, and those that the backward pass needs of the
/// largest segment, are few together. Forward nodes come before backward ones.
Segments find_segments(const Graph& graph);

}  // namespace fovea
