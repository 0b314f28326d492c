#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// What a module gave in one of its calls.
struct Tap {
  std::string name;  ///< "layer1.0.conv1"
  Tensor value;
};

/// The output that a tap of this name is among a graph's: "tap:layer1.0.conv1".
std::string tap_name(std::string_view name);

/// Adds what modules give to the outputs of a graph, in the order in which their calls ended.
/// Passes leave a tapped value as it is: fusion stops there, and each run gives the module's own
/// result.
///
///     tap(*graph, "layer1.0.conv1");                // one module
///     tap(*graph, "layer*.conv1");                  // all that match a glob; * also matches dots
///     const Tensor features = tap(*graph, "layer4")[0].value;
///     const Tensor gradient = gradients(loss, {features})[0];
///
/// A tap is named by the module's path; where it was called several times, by the number of the
/// call, too: "fc#1", "fc#2", which `pattern` may also select; where it gave several Tensors, by
/// their numbers: "attention[0]", "attention[1]". A value that is tapped already is not added
/// again. In a graph that passes have rewritten, what is still there can be tapped. Errors: usage
/// when no call matches, with the nearest names; usage when a value is gone, saying what it was
/// fused into.
std::vector<Tap> tap(Graph& graph, std::string_view pattern);

}  // namespace fovea
