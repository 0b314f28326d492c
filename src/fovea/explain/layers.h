#pragma once

#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/passes/tap.h"

namespace fovea::explain {

/// A convolution of a traced model: the module whose call made it, and its weight.
struct ConvLayer {
  std::string name;    ///< its module's path: "layer1.0.conv1"
  std::string weight;  ///< the State array: "layer1.0.conv1.weight"
};

/// The convolutions of a graph before passes, in the order in which they run; one that is called
/// twice is listed once.
std::vector<ConvLayer> convolutions(const Graph& graph);
/// The names of all layers that can be tapped, in the order in which their calls began.
std::vector<std::string> layer_names(const Graph& graph);

/// tap() of several names or globs, separated by commas. Errors: usage as tap, and lists the
/// layers.
std::vector<Tap> tap_layers(Graph& graph, std::string_view patterns);

/// The error for a model that has no convolution to show. `what` needs one: "filters".
Error no_convolution(std::string_view what, std::string_view model);

}  // namespace fovea::explain
