#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// A module's result in one of its calls.
struct Tap {
  std::string name;  ///< "layer1.0.conv1"
  Tensor value;
};

/// The name of this tap's graph output: "tap:layer1.0.conv1".
std::string tap_name(std::string_view name);

/// Adds the results of modules to the outputs of a
/// graph, in the order in which their calls ended.
/// Passes leave a tapped value unchanged: fusion stops
/// there, and each run returns the module's own result.
///
///     tap(*graph, "layer1.0.conv1");                // one module
///     tap(*graph, "layer*.conv1");                  // all that match a glob; * also matches dots
///     const Tensor features = tap(*graph, "layer4")[0].value;
///     const Tensor gradient = gradients(loss, {features})[0];
///
/// A tap is named after the module's path, followed by the number of the call if there are several:
/// "fc#1", "fc#2", which `pattern` may also select; and by the number of the Tensor if a call
/// returned several: "attention[0]", "attention[1]". An already tapped value is not added again. In
/// a graph that passes have rewritten, the remaining values can be tapped. Errors: usage when no
/// call matches, with the nearest names; usage when a value is gone, saying what it was fused into.
std::vector<Tap> tap(Graph& graph, std::string_view pattern);

/// The results of all module calls under the same names, in the same order, without making them
/// outputs; those that passes have removed are left out.
std::vector<Tap> module_results(Graph& graph);

}  // namespace fovea
