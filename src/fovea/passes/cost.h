#pragma once

#include <string>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// The multiply-adds of a convolution or a linear layer, forward; 0 for any other node.
int64_t multiply_adds(const Node& node);

/// The cost of the ops of one kind in one module, for one run of a graph.
struct OpCost {
  std::string module;     ///< its path; "" for the root of a model and outside any module
  std::string op;         ///< the ops' name
  bool backward = false;  ///< whether they are part of a gradient
  int64_t calls = 0;      ///< nodes
  int64_t macs = 0;       ///< multiply-adds, of convolutions and linear layers only
  double flops = 0;  ///< from Op::flops, where a multiply-add counts as 2; 0 for ops without it
};

/// The ops of each module, in the order in which they first occur; ops of different types are
/// different kinds, whatever their names. Fused ops count in the module of the first. Counts are
/// for the batch that the graph was traced for.
std::vector<OpCost> cost(const Graph& graph);

}  // namespace fovea
