#pragma once

#include <string>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// The multiply-adds of a convolution or a linear layer, forward; 0 for any other node.
int64_t multiply_adds(const Node& node);

/// What one kind of op costs in one run of a graph.
struct OpCost {
  std::string op;     ///< its name
  int64_t calls = 0;  ///< nodes
  int64_t macs = 0;   ///< multiply-adds, of convolutions and linear layers only
  double flops = 0;   ///< by Op::flops, where a multiply-add counts 2; 0 for ops that do not say
};

/// The kinds of op in the order in which they first occur. Counts are for the batch the graph was
/// traced for.
std::vector<OpCost> cost(const Graph& graph);

}  // namespace fovea
