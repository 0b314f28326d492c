#pragma once

#include "fovea/graph/graph.h"

namespace fovea {

/// Checks the invariants that every pass must keep: values are computed before
/// they are used, each by one node; types are those the ops infer (dtype and
/// shape); layouts are possible for their values, and those of a channelwise
/// op the same; outputs and updates exist, and so do the values and calls that calls and nodes
/// refer to. Errors: internal, naming the node; `after` names the pass in the message.
void verify(const Graph& graph, std::string_view after = "trace");

}  // namespace fovea
