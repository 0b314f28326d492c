#pragma once

#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// How often each value of a graph is used: as inputs of nodes, outputs and updates.
class Uses {
 public:
  explicit Uses(const Graph& graph) : count_(graph.values().size()), user_(graph.values().size()) {
    for (const Node& node : graph.nodes()) {
      for (int id : node.inputs) {
        ++count_[static_cast<size_t>(id)];
        user_[static_cast<size_t>(id)] = &node;
      }
    }
    for (const auto* list : {&graph.outputs(), &graph.updates()}) {
      for (const auto& [name, id] : *list) ++count_[static_cast<size_t>(id)];
    }
  }

  int count(int id) const { return count_[static_cast<size_t>(id)]; }
  /// The node that is the only use of the value, or null.
  const Node* only(int id) const {
    return count(id) == 1 ? user_[static_cast<size_t>(id)] : nullptr;
  }

 private:
  std::vector<int> count_;
  std::vector<const Node*> user_;
};

}  // namespace fovea
