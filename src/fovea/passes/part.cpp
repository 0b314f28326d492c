#include "fovea/passes/part.h"

#include <algorithm>

namespace fovea {

PartOf::PartOf(const Graph& graph, Part part) : outside_(graph.values().size(), false) {
  if (part == Part::all) return;
  for (size_t id = 0; id < outside_.size(); ++id) outside_[id] = graph.values()[id].trainable;
  for (const Node& node : graph.nodes()) {
    const bool reached =
        std::ranges::any_of(node.inputs, [&](int id) { return outside_[static_cast<size_t>(id)]; });
    for (const int id : node.outputs) outside_[static_cast<size_t>(id)] = reached;
  }
}

bool PartOf::contains(const Node& node) const {
  return !outside_[static_cast<size_t>(node.outputs[0])];
}

}  // namespace fovea
