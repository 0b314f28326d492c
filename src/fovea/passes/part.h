#pragma once

#include <cstdint>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Which nodes of a graph a pass rewrites.
enum class Part : uint8_t {
  all,
  frozen,  ///< those that no trainable array reaches: no gradient goes through them
};

/// The nodes of a part of a graph: with a node also those that its inputs are computed from.
class PartOf {
 public:
  PartOf(const Graph& graph, Part part);
  bool contains(const Node& node) const;

 private:
  std::vector<bool> outside_;  ///< by value
};

}  // namespace fovea
