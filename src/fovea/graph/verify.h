#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// Checks what every pass must leave true: values are made before they are used, each by one node;
/// types are what the ops infer (dtype and shape); a node's layouts are ones its op's LayoutRule
/// allows; outputs and updates exist, and so do the values and calls that calls and nodes refer to.
/// Errors: internal, naming the node; `after` names the pass in
/// the message.
void verify(const Graph& graph, std::string_view after = "trace");

}  // namespace fovea
